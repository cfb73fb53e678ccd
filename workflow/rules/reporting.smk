# Many small files to one folder that tells the story. Seconds each, so they run where Snakemake runs.
localrules:
    collect,
    tables,
    figures,
    report,
    regenerate,


rule collect:
    input:
        run_files("metrics.json"),
        [run_files(f"analyses/{name}.csv") for name in EXPERIMENT.analyses],
        [f"{EXPERIMENT_DIR}/baselines/{key}.json" for key in DATASETS if EXPERIMENT.baselines],
    output:
        **({"analyses": f"{EXPERIMENT_DIR}/analyses.csv"} if EXPERIMENT.analyses else {}),
        metrics=f"{EXPERIMENT_DIR}/metrics.csv",
        runs=f"{EXPERIMENT_DIR}/runs.csv",
        histories=f"{EXPERIMENT_DIR}/histories.csv",
        captions=f"{EXPERIMENT_DIR}/captions.json",
        provenance=f"{EXPERIMENT_DIR}/provenance.json",
    log:
        f"logs/collect/{EXPERIMENT.name}.log",
    conda:
        "../envs/sgad.yaml"
    params:
        experiment=SETTINGS["experiment"],
        results=subpath(output.metrics, ancestor=3),
        data=DATA,
        # Titles and notes end up in the captions. A function, because braces in plain text would be wildcards.
        description=lambda wildcards: EXPERIMENT.model_dump_json(),
    shell:
        "sgad collect {params.experiment:q} --results {params.results:q} --data {params.data:q} > {log} 2>&1"


rule tables:
    input:
        rules.collect.output,
    output:
        report(
            directory(f"{EXPERIMENT_DIR}/tables"),
            patterns=["{table}.csv"],
            caption="../captions/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"logs/tables/{EXPERIMENT.name}.log",
    conda:
        "../envs/sgad.yaml"
    params:
        experiment=SETTINGS["experiment"],
        results=subpath(output[0], ancestor=3),
    shell:
        "sgad tables {params.experiment:q} --results {params.results:q} > {log} 2>&1"


rule figures:
    input:
        rules.collect.output,
    output:
        report(
            directory(f"{EXPERIMENT_DIR}/figures"),
            patterns=["{kind}-{data}.svg"],
            caption="../captions/figures.rst",
            category="Figures",
            subcategory="{data}",
            labels={"figure": "{kind}", "data set": "{data}"},
        ),
    log:
        f"logs/figures/{EXPERIMENT.name}.log",
    conda:
        "../envs/sgad.yaml"
    params:
        titles={kind.key: kind.title for kind in lookup.figures().values()},
        experiment=SETTINGS["experiment"],
        results=subpath(output[0], ancestor=3),
    shell:
        "sgad figures {params.experiment:q} --results {params.results:q} > {log} 2>&1"


rule report:
    input:
        rules.collect.output,
        rules.tables.output,
        rules.figures.output,
    output:
        report(
            f"{EXPERIMENT_DIR}/report.html",
            caption="../captions/report.rst",
            category="Report",
            labels={"page": "report"},
        ),
    log:
        f"logs/report/{EXPERIMENT.name}.log",
    conda:
        "../envs/sgad.yaml"
    params:
        experiment=SETTINGS["experiment"],
        results=subpath(output[0], ancestor=3),
    shell:
        "sgad report {params.experiment:q} --results {params.results:q} > {log} 2>&1"


# Asked for by name: tables, figures and report from what is stored, whether or not the runs are still there.
rule regenerate:
    log:
        f"logs/regenerate/{EXPERIMENT.name}.log",
    conda:
        "../envs/sgad.yaml"
    params:
        experiment=SETTINGS["experiment"],
        results=RESULTS,
    shell:
        "sgad regenerate {params.experiment:q} --results {params.results:q} > {log} 2>&1"
