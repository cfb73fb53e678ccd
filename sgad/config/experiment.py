"""Experiments: which runs, measures, tables and figures belong together."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sgad.catalogue import lookup
from sgad.catalogue.metrics import plan
from sgad.config.paths import find_config, search_first
from sgad.config.run import Name, VariantName
from sgad.config.validation import validated
from sgad.config.yaml_files import read_yaml
from sgad.errors import InputError

Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _in_catalogue(known: Callable[[str], object]) -> AfterValidator:
    """Refuse a key that is not declared. Pydantic reports ValueError alone, together with the field."""

    def check(key: str) -> str:
        try:
            known(key)
        except InputError as error:
            raise ValueError(str(error)) from error
        return key

    return AfterValidator(check)


AnalysisName = Annotated[str, _in_catalogue(lookup.analysis_of)]
TableName = Annotated[str, _in_catalogue(lookup.table_of)]
FigureName = Annotated[str, _in_catalogue(lookup.figure_of)]
MeasureName = Annotated[Name, _in_catalogue(lambda name: plan((name,)))]
#: Measures against held-out training images: all that a search may see (`held_out` of their declarations).
VALID_MEASURES = ("fad_val", "fad_eval_val", "cfd_val")
DEFAULT_MEASURES = ("cfd", "ccs", "kid_classifier", "precision_classifier", "recall_classifier")


class RunKey(NamedTuple):
    """What names a run, and its folder under results/runs/."""

    dataset: str
    model: str
    variant: str
    seed: int

    @property
    def folder(self) -> str:
        """Dataset/model/variant/seedS."""
        return f"{self.dataset}/{self.model}/{self.variant}/seed{self.seed}"


class RunBlock(BaseModel):
    """A product of data sets, models, variants and seeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: tuple[Name, ...] = Field(min_length=1)
    models: tuple[Name, ...] = Field(min_length=1)
    variants: tuple[VariantName, ...] = ("paper",)
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)

    def product(self) -> list[RunKey]:
        """The runs of the product, in the order of the lists."""
        return [
            RunKey(dataset, model, variant, seed)
            for dataset in self.datasets
            for model in self.models
            for variant in self.variants
            for seed in self.seeds
        ]


class ExperimentConfig(BaseModel):
    """One file of configs/experiments/."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    title: str = Field(min_length=1)
    description: str = ""
    configs: tuple[str, ...] = Field(
        (), description="folders with models/, datasets/, variants/ of one's own, relative to this file; searched first"
    )
    note: str = Field("", description="said in every caption, for example that the recipe is not the paper's")
    purpose: Literal["comparison", "search"] = Field(
        "comparison",
        description="search: recipes are chosen from its numbers, so it sees held-out training images only",
    )
    datasets: tuple[Name, ...] = ()
    models: tuple[Name, ...] = ()
    variants: tuple[VariantName, ...] = ("paper",)
    seeds: tuple[Seed, ...] = (0,)
    runs: tuple[RunBlock, ...] = Field((), description="further products, beside or instead of the four lists")
    measures: tuple[MeasureName, ...] = Field(DEFAULT_MEASURES, min_length=1)
    baselines: bool = Field(True, description="measure real data, noise and a copy of the training set, too")
    cross_check: bool = Field(
        False,
        description="compute Inception's values once more by torch-fidelity and pytorch-fid; a difference is a failure",
    )
    num_samples: int = Field(5000, ge=2, description="images drawn from each model for the measures")
    analyses: tuple[AnalysisName, ...] = Field(
        (), description="what to look at in each trained run, beside its measures"
    )
    neurons: str = Field("", description="responses for alignment: the path of an .npz, or `synthetic`")
    tables: tuple[TableName, ...] = ("results", "runs")
    figures: tuple[FigureName, ...] = ("curves", "bars", "samples")

    @model_validator(mode="after")
    def _has_neurons(self) -> "ExperimentConfig":
        compared = [key for key in self.analyses if lookup.analysis_of(key).needs_neurons]
        if bool(compared) != bool(self.neurons):
            named = ", ".join(compared) or "alignment"
            raise ValueError(f"analyses: {named} and neurons go together; give the path of responses, or `synthetic`")
        return self

    @model_validator(mode="after")
    def _searches_on_valid(self) -> "ExperimentConfig":
        on_test = [name for name in self.measures if name not in VALID_MEASURES]
        if self.purpose == "search" and on_test:
            raise ValueError(
                f"purpose search must not see test: measures {', '.join(on_test)} compare with it; take"
                f" {', '.join(VALID_MEASURES)}"
            )
        return self

    @model_validator(mode="after")
    def _has_runs(self) -> "ExperimentConfig":
        if bool(self.datasets) != bool(self.models):
            raise ValueError("datasets and models go together; give both or use runs")
        keys = self.run_keys()
        if not keys:
            raise ValueError("no runs are listed; give datasets and models, or runs")
        if len(set(keys)) < len(keys):
            raise ValueError("a run is listed twice; make datasets, models, variants, seeds and runs disjoint")
        return self

    def run_keys(self) -> list[RunKey]:
        """Every run of the experiment."""
        blocks = list(self.runs)
        if self.datasets and self.models:
            blocks.insert(
                0,
                RunBlock(datasets=self.datasets, models=self.models, variants=self.variants, seeds=self.seeds),
            )
        return [key for block in blocks for key in block.product()]

    def dataset_keys(self) -> list[str]:
        """The data sets of all runs, each once, in order."""
        return list(dict.fromkeys(key.dataset for key in self.run_keys()))


def load_experiment(name_or_path: str) -> ExperimentConfig:
    """Read an experiment by its name in configs/experiments/ or by the path of its file.

    Folders that it names under `configs` are searched first from now on, by this process and those that it starts.

    Raises
    ------
    InputError
        If there is none, or the file is wrong.
    """
    path = find_config("experiments", name_or_path)
    content = read_yaml(path)
    content.setdefault("name", path.stem)
    experiment = validated(ExperimentConfig, content, str(path))
    if experiment.name != path.stem:
        raise InputError(f"{path}: name is {experiment.name!r} but the file is called {path.name}; make them equal")
    search_first(path.resolve().parent / folder for folder in experiment.configs)
    return experiment
