# What the paper claims, looked at in each trained run; an experiment that lists no analyses asks for none of this.


rule neurons:
    input:
        f"{DATA}/{{dataset}}/manifest.json",
    output:
        f"{DATA}/{{dataset}}/neurons-synthetic.npz",
    log:
        "logs/neurons/{dataset}.log",
    conda:
        "../envs/sgad.yaml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        data=subpath(input[0], ancestor=2),
    shell:
        "sgad neurons {wildcards.dataset} --data {params.data:q} --out {output:q} > {log} 2>&1"


rule analyse:
    input:
        classifier=f"{DATA}/{{dataset}}/classifier/classifier.json",
        neurons=neuron_files,
        record=f"{RUN_DIR}/run.json",
        generator=f"{RUN_DIR}/generator.safetensors",
    output:
        # Pictures are in the run's folder; a run has more or fewer of them, by what it makes.
        expand(f"{RUN_DIR}/analyses/{{analysis}}.csv", analysis=EXPERIMENT.analyses, allow_missing=True),
    log:
        "logs/analyse/{dataset}/{model}/{variant}/seed{seed}.log",
    group:
        "evaluate"
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=4000,
        runtime=30,
        device=DEVICE,
        # Another experiment may ask for others of the same run; those that are there need not be done again.
        analyses=",".join(EXPERIMENT.analyses),
    params:
        folder=subpath(input.record, parent=True),
        data=subpath(input.classifier, ancestor=3),
        number=min(EXPERIMENT.num_samples, 1000),
        statistics=sampling_statistics,
        neurons=lambda wildcards, input: f"--neurons {shlex.quote(str(input.neurons))}" if input.neurons else "",
    shell:
        "sgad analyse {params.folder:q} --dataset {wildcards.dataset} --data {params.data:q} --analyses {resources.analyses}"
        " --num {params.number} --statistics {params.statistics} {params.neurons} --device {resources.device} --threads {threads} > {log} 2>&1"
