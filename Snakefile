# snakemake --config experiment=NAME [data=DIR] [results=DIR] [from=DIR] [device=auto] ...: all keys stand in common.smk
import gc

# Planning 2,000 runs takes a third less time without garbage collection, and no more memory (benchmarks/workflow.py).
gc.disable()

from snakemake.utils import min_version

min_version("9.3")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/analyses.smk"
include: "workflow/rules/reporting.smk"


if workflow.is_main_process:
    for line in long_runs():
        print(f"sgad: {line}", file=sys.stderr)


rule all:
    default_target: True
    input:
        # Stored results of an experiment come with the repository; the runs' own files make sure that they are there, too.
        run_files("metrics.json"),
        f"{EXPERIMENT_DIR}/report.html",


onstart:
    # Snakemake removes the outputs of what it runs again; runs finished by an older version have no second names yet.
    keep_what_is_finished()


onerror:
    said = read_logs(log)
    print(why_jobs_failed(said), end="", file=sys.stderr)
    # What is there becomes a report all the same, in which the other runs stand as missing.
    if not was_interrupted(said):
        shell(report_what_is_there())
