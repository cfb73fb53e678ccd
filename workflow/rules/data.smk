# Raw files to arrays, and what the measures need to know of each data set.


rule prepare:
    output:
        f"{DATA}/{{dataset}}/manifest.json",
    log:
        "logs/prepare/{dataset}.log",
    conda:
        "../envs/sgad.yaml"
    resources:
        # Where the raw files are does not change what they are, so it is no reason to prepare them again.
        source=f"--from {shlex.quote(str(SETTINGS['from']))}" if SETTINGS["from"] else "",
        mem_mb=doubled(4000),
        runtime=doubled(120),
    params:
        description=description_hash,
        folder=subpath(output[0], parent=True),
    shell:
        "SGAD_PROGRESS_FD=3 sgad prepare {wildcards.dataset} {resources.source}"
        " --out {params.folder:q} 3>&2 > {log} 2>&1"


rule classifier:
    input:
        f"{DATA}/{{dataset}}/manifest.json",
    output:
        f"{DATA}/{{dataset}}/classifier/classifier.json",
    log:
        "logs/classifier/{dataset}.log",
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=doubled(4000),
        runtime=doubled(120),
    params:
        folder=subpath(output[0], parent=True),
        data=subpath(input[0], ancestor=2),
    shell:
        "SGAD_PROGRESS_FD=3 sgad classifier {wildcards.dataset} --data {params.data:q}"
        " --shipped --out {params.folder:q} --threads {threads} 3>&2 > {log} 2>&1"


rule autoencoder:
    input:
        # The two share a folder; a data set without labels gets its autoencoder from there.
        f"{DATA}/{{dataset}}/classifier/classifier.json",
    output:
        f"{DATA}/{{dataset}}/classifier/autoencoder.safetensors",
    log:
        "logs/autoencoder/{dataset}.log",
    conda:
        "../envs/sgad.yaml"
    threads: int(SETTINGS["threads"])
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        folder=subpath(output[0], parent=True),
        data=subpath(input[0], ancestor=3),
    shell:
        "SGAD_PROGRESS_FD=3 sgad classifier {wildcards.dataset} --autoencoder --no-classifiers --shipped --data {params.data:q}"
        " --out {params.folder:q} --threads {threads} 3>&2 > {log} 2>&1"
