# Images to numbers: of each run, and of real data and noise as the marks between which a model can be.


rule measure:
    input:
        reference_files,
        samples=f"{RUN_DIR}/samples.npz",
    output:
        f"{RUN_DIR}/metrics.json",
    log:
        "logs/measure/{dataset}/{model}/{variant}/seed{seed}.log",
    group:
        "evaluate"
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(30),
    params:
        measures=MEASURES,
        data=DATA,
        cross_check="--cross-check" if EXPERIMENT.cross_check else "",
    shell:
        "sgad measure --samples {input.samples:q} --dataset {wildcards.dataset} --data {params.data:q}"
        " --measures {params.measures} {params.cross_check} --allow-empty --out {output:q} --threads {threads} > {log} 2>&1"


rule baselines:
    input:
        reference_files,
    output:
        # In the experiment's folder: another experiment may want other measures, or another number of images.
        f"{EXPERIMENT_DIR}/baselines/{{dataset}}.json",
    log:
        "logs/baselines/{dataset}.log",
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(60),
    params:
        measures=MEASURES,
        number=EXPERIMENT.num_samples,
        data=DATA,
    shell:
        "SGAD_PROGRESS_FD=3 sgad baselines {wildcards.dataset} --data {params.data:q}"
        " --measures {params.measures} --num {params.number} --out {output:q} --threads {threads} 3>&2 > {log} 2>&1"
