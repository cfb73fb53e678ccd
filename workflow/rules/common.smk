# Reads the experiment through sgad.config, names the folders, constrains the wildcards.
import os
import re
import shlex
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

import sgad
from sgad import __version__
from sgad.catalogue import lookup
from sgad.catalogue.discovery import add_plugins
from sgad.catalogue.metrics import files_needed
from sgad.config.compose import check_runs, resolve_run
from sgad.config.cost import estimated_mb, estimated_minutes, num_attempts
from sgad.config.experiment import RunKey, load_experiment
from sgad.data.description import load_description
from sgad.errors import SgadError, nearest
from sgad.runs.finished import adopt_finished

# What --config takes: names, types and defaults.
SCHEMA = yaml.safe_load(Path(workflow.source_path("../schemas/config.schema.yaml")).read_text(encoding="utf-8"))
SETTINGS = {key: value["default"] for key, value in SCHEMA["properties"].items()}


if Path("config/config.yaml").is_file():

    configfile: "config/config.yaml"


def unsuitable(key, value):
    """What is wrong with a value of --config, empty if nothing; `KEY=` stands for the default."""
    if isinstance(SETTINGS[key], int):
        if value is not None and type(value) is not int:
            return f"{value!r} is no whole number; write {key}={SETTINGS[key]}"
        least = SCHEMA["properties"][key]["minimum"]
        return "" if value is None or value >= least else f"{value} is below {least}; write {key}={SETTINGS[key]}"
    if isinstance(value, str) or value is None:
        return (
            f"{value} holds braces, which stand for wildcards; choose another name"
            if set("{}") & set(value or "")
            else ""
        )
    # Snakemake makes 202401 of 2024_01 and 7 of 007, and takes quotes off before it does.
    way = (
        "the path of the file, as in experiment=configs/experiments/007.yaml"
        if key == "experiment"
        else f"{key}=./NAME"
    )
    return f"what was written has been read as {value!r}, not as a name; write {way}"


for key in config:
    if key not in SETTINGS:
        raise WorkflowError(
            f"--config {key}={config[key]} is unknown{nearest(key, SETTINGS)}; known are {', '.join(SETTINGS)}"
        )
    if problem := unsuitable(key, config[key]):
        raise WorkflowError(f"--config {key}: {problem}")
SETTINGS.update({key: value for key, value in config.items() if value is not None})
# "./2024" is how a folder is written whose name would be read as a number.
SETTINGS.update({key: os.path.normpath(SETTINGS[key]) for key in ("data", "results", "from") if SETTINGS[key]})

# Snakemake's own error is a traceback.
_workplace = Path(".snakemake") if Path(".snakemake").is_dir() else Path()
if not os.access(_workplace, os.W_OK):
    raise WorkflowError(
        f"{Path.cwd()} cannot be written, and data, results and logs belong there; say --directory FOLDER for another place"
    )

try:
    # Into the environment, which each stage inherits; on a cluster node this file is read again.
    add_plugins(Path(name) for name in str(SETTINGS["plugins"]).split(",") if name)
    EXPERIMENT = load_experiment(str(SETTINGS["experiment"]))
    RUN_KEYS = EXPERIMENT.run_keys()
    # A mistake in a file is said before anything runs.
    check_runs(EXPERIMENT)
    DATASETS = [load_description(key).name for key in EXPERIMENT.dataset_keys()]
except SgadError as error:
    raise WorkflowError(str(error)) from None

DATA, RESULTS = str(SETTINGS["data"]), str(SETTINGS["results"])
RUN_DIR = f"{RESULTS}/runs/{{dataset}}/{{model}}/{{variant}}/seed{{seed}}"
EXPERIMENT_DIR = f"{RESULTS}/experiments/{EXPERIMENT.name}"
MEASURES = ",".join(EXPERIMENT.measures)

_gpu_limit = workflow.global_resources.get("gpu")
DEVICE = str(SETTINGS["device"]) or ("cpu" if _gpu_limit is not None and _gpu_limit.value == 0 else "auto")
RETRIES, MAX_MINUTES = int(SETTINGS["retries"]), int(SETTINGS["max_minutes"])


def with_tag(image):
    """The image with the tag of this release, if it has none of its own."""
    return image if ":" in Path(image).name else f"{image}:{__version__}"


container: with_tag(str(SETTINGS["image"]))


def where_sgad_is():
    """Shell line that makes `sgad` the right one.

    Of the Python that runs Snakemake, on cluster nodes, too; in an environment of --sdm conda, which holds the
    requirements alone, of this checkout; in a container what is installed there.
    """
    ways = {str(getattr(way, "value", way)) for way in workflow.deployment_settings.deployment_method}
    if "apptainer" in ways:
        return ""
    if "conda" in ways:
        root = Path(sgad.__file__).resolve().parents[1]
        return f'export PYTHONPATH={shlex.quote(str(root))}"${{{{PYTHONPATH:+:$PYTHONPATH}}}}"; sgad() {{{{ python -m sgad "$@"; }}}}; '
    return f'export PATH={shlex.quote(os.path.dirname(sys.executable))}:"$PATH"; '


# Where a stage is worth watching, its descriptor 3 is the terminal: progress goes there and to the log.
shell.prefix(f"{where_sgad_is()}export SGAD_PROGRESS_SECONDS=10; ")


wildcard_constraints:
    dataset=r"[A-Za-z0-9][\w.-]*",
    model=r"[A-Za-z0-9][\w.-]*",
    variant=r"[A-Za-z0-9][\w.+=-]*",
    seed=r"\d+",


@cache
def any_seed(dataset, model, variant):
    """The configuration of seed 0, from which only the seed of the others differs."""
    return resolve_run(RunKey(dataset, model, variant, 0))


def run_config(wildcards):
    """A run's configuration; the files behind it are read once, however many runs there are."""
    config_of_seed_0 = any_seed(wildcards.dataset, wildcards.model, wildcards.variant)
    return config_of_seed_0.model_copy(update={"seed": int(wildcards.seed)})


def config_hash(wildcards):
    """The hash of what decides the result of a run's training."""
    return run_config(wildcards).hash()


def sampling_statistics(wildcards):
    """How a run's generator is sampled, which training does not depend on."""
    return any_seed(wildcards.dataset, wildcards.model, wildcards.variant).sampling_statistics


@cache
def run_cost(dataset, model, variant):
    """(minutes, MB) that a run should not exceed, by what the data set's description says of its size."""
    config_of_seed_0, description = any_seed(dataset, model, variant), load_description(dataset)
    shape = description.shape or (3, 64, 64)
    num_images = (description.counts or {"train": 200_000})["train"]
    minutes = estimated_minutes(config_of_seed_0, shape, num_images, DEVICE != "cpu")
    return minutes, estimated_mb(config_of_seed_0, shape, DEVICE != "cpu")


def run_minutes(wildcards, attempt):
    """Time limit of a training, doubled at each attempt; one that hits it is resumed."""
    minutes, _ = run_cost(wildcards.dataset, wildcards.model, wildcards.variant)
    return min(minutes * 2 ** (attempt - 1), MAX_MINUTES)


def run_mb(wildcards, attempt):
    """Memory of a training, doubled at each attempt that the run's length does not explain."""
    _, megabytes = run_cost(wildcards.dataset, wildcards.model, wildcards.variant)
    return megabytes * 2 ** min(attempt - 1, RETRIES)


def run_attempts(dataset, model, variant):
    """How often a training may be started: as often as its length needs, and RETRIES more."""
    return num_attempts(run_cost(dataset, model, variant)[0], MAX_MINUTES, RETRIES)


def run_kinds():
    """(dataset, model, variant) of the experiment's runs, each once, in order."""
    return list(dict.fromkeys(key[:3] for key in RUN_KEYS))


def train_retries():
    """Further attempts of a training.

    Snakemake runs a submitted job in a second Snakemake on the node, which must not try again as well: it would act
    within the same time and memory, and attempts would multiply.
    """
    return max(run_attempts(*kind) for kind in run_kinds()) - 1 if workflow.is_main_process else 0


def record_flag(wildcards, attempt):
    """What lets the last attempt write a crash down as `status: failed` and end well."""
    is_last = attempt >= run_attempts(wildcards.dataset, wildcards.model, wildcards.variant)
    return "--record-failure" if is_last else ""


def long_runs():
    """A line for each kind of run that takes longer than a job may, five at most."""
    hours = MAX_MINUTES / 60
    long = [kind for kind in run_kinds() if run_cost(*kind)[0] > MAX_MINUTES]
    for kind in long[:5]:
        needed = run_attempts(*kind) - RETRIES
        yield (
            f"{'/'.join(kind)} takes up to {run_cost(*kind)[0] / 60:.0f} hours a run; where a job ends after {hours:g} hours"
            f" (--config max_minutes={MAX_MINUTES}) that is {needed} jobs, each going on where the one before it ended"
        )
    if len(long) > 5:
        yield f"so do {len(long) - 5} more kinds of run; `sgad doctor --experiment {EXPERIMENT.name}` measures them"


def doubled(amount):
    """What doubles `amount`, minutes or MB, at each further attempt of a job."""
    return lambda wildcards, attempt: amount * 2 ** (attempt - 1)


def description_hash(wildcards):
    """The hash of what a data set's description says; when and where its file was written does not count."""
    return load_description(wildcards.dataset).hash()


def reference_files(wildcards):
    """What a measurement needs besides the samples: the data set and, for some measures, networks trained on it."""
    return [f"{DATA}/{wildcards.dataset}/{name}" for name in ("manifest.json", *files_needed(EXPERIMENT.measures))]


def neuron_files(wildcards):
    """The responses that alignment compares with, if the experiment asks for it; made-up ones are made first."""
    if EXPERIMENT.neurons == "synthetic":
        return f"{DATA}/{wildcards.dataset}/neurons-synthetic.npz"
    return EXPERIMENT.neurons or []


def run_files(name):
    """The file of this name of every run of the experiment."""
    return [f"{RESULTS}/runs/{key.folder}/{name}" for key in RUN_KEYS]


def keep_what_is_finished():
    """Keep the finished state of every run that has none, where the folder may be written."""
    for key in RUN_KEYS:
        with suppress(SgadError, OSError):
            adopt_finished(Path(RESULTS) / "runs" / key.folder)


def report_what_is_there():
    """The shell line that reports on the runs that exist, and is silent where there are none."""
    experiment, results, data = (shlex.quote(str(part)) for part in (SETTINGS["experiment"], RESULTS, DATA))
    return (
        f"mkdir -p logs/collect logs/regenerate;"
        f" sgad collect {experiment} --results {results} --data {data} > logs/collect/{EXPERIMENT.name}.log 2>&1"
        f" && sgad regenerate {experiment} --results {results} > logs/regenerate/{EXPERIMENT.name}.log 2>&1 || true"
    )


def read_logs(snakemake_logs):
    """The text of Snakemake's own log."""
    return "".join(Path(path).read_text(encoding="utf-8") for path in snakemake_logs)


def why_jobs_failed(text):
    """A line for each failed job's log with what it said last; --quiet leaves that out."""
    failed = dict.fromkeys(re.findall(r"> (logs/\S+\.log) 2>&1' returned non-zero", text))
    said = {path: Path(path).read_text(encoding="utf-8").splitlines()[-1:] or [""] for path in failed}
    return "".join(f"{path}: {lines[0]}\n" for path, lines in said.items())


def was_interrupted(text):
    """Whether somebody pressed Ctrl-C, who wants it to end and not a report."""
    return "Terminating processes on user request" in text
