# One training run: from the prepared data to a generator, from the generator to images.


rule train:
    input:
        f"{DATA}/{{dataset}}/manifest.json",
    output:
        # Checkpoints, history, grids and config.yaml are next to these and not declared, because Snakemake
        # deletes declared outputs before it tries again; lock and checkpoint's hash are sgad's own affair.
        record=f"{RUN_DIR}/run.json",
        generator=f"{RUN_DIR}/generator.safetensors",
    log:
        "logs/train/{dataset}/{model}/{variant}/seed{seed}.log",
    retries: train_retries()
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        gpu=0 if DEVICE == "cpu" else 1,
        mem_mb=run_mb,
        runtime=run_minutes,
        device=DEVICE,
        # A crash that is written down does not keep the other runs from the tables. An interrupted one still fails, and is resumed.
        if_it_fails=record_flag,
    params:
        # A changed value in any configuration file trains again exactly the runs whose hash it changes.
        config=config_hash,
        folder=subpath(output.record, parent=True),
        data=subpath(input[0], ancestor=2),
    shell:
        "SGAD_PROGRESS_FD=3 sgad train --dataset {wildcards.dataset} --model {wildcards.model}"
        " --variant {wildcards.variant} --seed {wildcards.seed} --data {params.data:q} --out {params.folder:q}"
        " --device {resources.device} --threads {threads} {resources.if_it_fails} 3>&2 >> {log} 2>&1"


rule sample:
    input:
        record=f"{RUN_DIR}/run.json",
        generator=f"{RUN_DIR}/generator.safetensors",
    output:
        f"{RUN_DIR}/samples.npz",
    log:
        "logs/sample/{dataset}/{model}/{variant}/seed{seed}.log",
    group:
        "evaluate"
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(20),
        device=DEVICE,
    params:
        folder=subpath(input.record, parent=True),
        number=EXPERIMENT.num_samples,
        statistics=sampling_statistics,
    shell:
        "sgad sample {params.folder:q} --num {params.number} --statistics {params.statistics} --device {resources.device}"
        " --threads {threads} > {log} 2>&1"
