"""A run's configuration: model defaults < the paper's values for the data set < variant < file < `--set`.

Each value keeps its origin, so that `sgad config show` can say where it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sgad.config.experiment import ExperimentConfig, RunKey
from sgad.config.paths import KINDS, find_config, is_file_name, key_of
from sgad.config.plugins import with_absolute_classes
from sgad.config.run import QUIRK_PRESETS, RUN_KEYS, Name, RunConfig
from sgad.config.validation import require_known_keys, validated
from sgad.config.yaml_files import parse_value, read_yaml
from sgad.errors import InputError

_IDENTITY = ("dataset", "model", "variant", "seed")
_SETTABLE = tuple(key for key in RUN_KEYS if key not in _IDENTITY)
Overrides = dict[str, Any]
Layer = tuple[str, Mapping[str, Any]]


class ModelFile(BaseModel):
    """configs/models/NAME.yaml: the parts of a model and the paper's values per shape and data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    description: str = ""
    citation: str = ""
    defaults: Overrides = Field(default_factory=dict)
    shapes: dict[str, Overrides] = Field(default_factory=dict, description="by CxHxW, for data sets not listed below")
    datasets: dict[Name, Overrides] = Field(default_factory=dict)


class VariantFile(BaseModel):
    """configs/variants/NAME.yaml: named overrides, for all models, then for one, then for a data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    description: str = ""
    note: str = Field("", description="said in the caption of every result of this variant")
    defaults: Overrides = Field(default_factory=dict)
    alone: Overrides = Field(
        default_factory=dict, description="further values where the variant's name comes first, not behind another's"
    )
    models: dict[Name, Overrides] = Field(default_factory=dict)
    datasets: dict[Name, Overrides] = Field(default_factory=dict)


@dataclass
class Resolved:
    """A configuration and the origin of each of its values."""

    config: RunConfig
    origins: dict[str, str] = field(default_factory=dict)


@cache
def load_model(path: Path) -> ModelFile:
    """Read and check a model's file; classes in files are named relative to it."""
    content = validated(ModelFile, read_yaml(path), str(path))
    _check_blocks(path, {"defaults": content.defaults}, content.shapes, content.datasets)
    return content.model_copy(
        update=_absolute(path, content.defaults, shapes=content.shapes, datasets=content.datasets)
    )


@cache
def load_variant(path: Path) -> VariantFile:
    """Read and check a variant's file; classes in files are named relative to it."""
    content = validated(VariantFile, read_yaml(path), str(path))
    _check_blocks(path, {"defaults": content.defaults, "alone": content.alone}, content.models, content.datasets)
    folder = path.resolve().parent
    changed = _absolute(path, content.defaults, models=content.models, datasets=content.datasets)
    return content.model_copy(update=changed | {"alone": with_absolute_classes(content.alone, folder)})


def _absolute(path: Path, defaults: Overrides, **groups: Mapping[str, Overrides]) -> dict[str, Any]:
    folder = path.resolve().parent
    changed: dict[str, Any] = {"defaults": with_absolute_classes(defaults, folder)}
    for field_name, group in groups.items():
        changed[field_name] = {name: with_absolute_classes(values, folder) for name, values in group.items()}
    return changed


def require_values(path: Path, model: ModelFile) -> None:
    """Check the values of a model's blocks, each on top of its defaults, as a run would.

    Raises
    ------
    InputError
        Naming the first value that is not allowed.
    """
    for name, block in {"defaults": {}, **model.shapes, **model.datasets}.items():
        values = {**model.defaults, **block, "dataset": "any", "model": path.stem}
        validated(RunConfig, values, f"{path} ({name})")


def _check_blocks(path: Path, *groups: Mapping[str, Overrides]) -> None:
    for group in groups:
        for name, overrides in group.items():
            require_known_keys(overrides, _SETTABLE, f"{path} ({name})")


@cache
def dataset_shape(path: Path) -> str:
    """Text such as "CxHxW" from a data set's description, or an empty string if it names no shape."""
    shape = read_yaml(path).get("shape")
    return "x".join(str(size) for size in shape) if isinstance(shape, list) else ""


def resolve(
    dataset: str,
    model: str,
    variant: str = "paper",
    seed: int = 0,
    *,
    file_values: Mapping[str, Any] | None = None,
    source: str = "",
    settings: Mapping[str, Any] | None = None,
) -> Resolved:
    """Compose one run's configuration.

    Parameters
    ----------
    dataset, model
        Keys, or paths of YAML files; the stem of a file's name is the key.
    variant
        Names or one path of variant files and `key=value`, joined by "+"; later ones override earlier ones.
    file_values
        Values of a run file, which override the variant; `source` names that file.
    settings
        Values of `--set`, which override everything.

    Raises
    ------
    InputError
        If a name is unknown, a key is unknown, or a value is not allowed.
    """
    model_path = find_config("models", model)
    shape = dataset_shape(find_config("datasets", dataset))
    model_file = load_model(model_path)
    parts = split_variant(variant)
    dataset, model, variant = key_of(dataset), key_of(model), "+".join(map(key_of, parts))
    in_file = {key: value for key, value in (file_values or {}).items() if key not in _IDENTITY}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{_short(model_path)}", model_file.defaults),
        (f"{_short(model_path)} shapes.{shape}", model_file.shapes.get(shape, {})),
        (f"{_short(model_path)} datasets.{dataset}", model_file.datasets.get(dataset, {})),
        *(
            layer
            for place, part in enumerate(parts)
            for layer in _variant_layers(part, dataset, model, is_first=place == 0)
        ),
        (source, with_absolute_classes(in_file, Path(source).resolve().parent)),
        ("--set", with_absolute_classes(settings or {}, Path.cwd())),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(_SETTABLE, "default")
    for origin, layer in layers:
        require_known_keys(layer, _SETTABLE, origin)
        for key, value in layer.items():
            values[key] = _merged_quirks(values.get(key), value) if key == "quirks" else value
            origins[key] = origin
    named = {"dataset": dataset, "model": model, "variant": variant, "seed": seed}
    config = validated(RunConfig, {**named, **values}, source or f"{dataset}/{model}/{variant}", origins)
    return Resolved(config, origins)


def split_variant(variant: str) -> list[str]:
    """Take a variant's name apart at "+"; the path of a file may hold such a sign itself."""
    if is_file_name(variant) and Path(variant).is_file():
        return [variant]
    return variant.split("+")


def _variant_layers(part: str, dataset: str, model: str, *, is_first: bool) -> list[tuple[str, Mapping[str, Any]]]:
    """List what one part of a variant's name sets, each mapping with its origin."""
    if "=" in part and not is_file_name(part):
        return [(f"variant {part}", parse_settings([part], source="variant"))]
    path = find_config("variants", part)
    content = load_variant(path)
    return [
        (_short(path), content.defaults),
        (f"{_short(path)} alone", content.alone if is_first else {}),
        (f"{_short(path)} models.{model}", content.models.get(model, {})),
        (f"{_short(path)} datasets.{dataset}", content.datasets.get(dataset, {})),
    ]


def variant_note(variant: str) -> str:
    """What the captions of a variant's results say: the notes of its parts and the values that it sets."""
    notes = [part if "=" in part else load_variant(find_config("variants", part)).note for part in variant.split("+")]
    return ", ".join(note for note in notes if note)


def _merged_quirks(before: Any, value: Any) -> Any:
    """A mapping of switches adds to what stands before it, preset or mapping; a preset replaces all."""
    if isinstance(before, str) and before in QUIRK_PRESETS:
        before = QUIRK_PRESETS[before].model_dump()
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _short(path: Path) -> str:
    return f"configs/{path.parent.name}/{path.name}" if path.parent.name in KINDS else str(path)


def resolve_run(key: RunKey) -> RunConfig:
    """The configuration of one run of an experiment."""
    return resolve(key.dataset, key.model, key.variant, key.seed).config


def check_runs(experiment: ExperimentConfig) -> None:
    """Compose one configuration of each data set, model and variant of an experiment.

    Raises
    ------
    InputError
        If one of them is wrong, trains on the images that a search chooses by, or is another one under a second name.
    """
    known: dict[tuple[str, ...], str] = {}
    for key in dict.fromkeys(key._replace(seed=0) for key in experiment.run_keys()):
        config = resolve_run(key)
        if experiment.purpose == "search" and config.holdout != "valid":
            raise InputError(
                f"{experiment.name}: variant {key.variant!r} has holdout = {config.holdout}, so it trains on the images"
                f" that a search chooses by; take {key.variant}+holdout=valid"
            )
        first = known.setdefault(_recipe(key, config), key.variant)
        if first != key.variant:
            raise InputError(
                f"{experiment.name}: variants {first} and {key.variant} of {key.dataset}/{key.model} are one recipe under"
                " two names, which would be trained twice; leave one out"
            )


def _recipe(key: RunKey, config: RunConfig) -> tuple[str, ...]:
    """What decides the results of a run but its variant's name."""
    sampled = (config.sampling_statistics, str(config.num_samples))
    return (key.dataset, key.model, config.model_copy(update={"variant": "paper"}).hash(), *sampled)


def run_hash(key: RunKey) -> str:
    """The hash of a run's configuration, as its checkpoints and the workflow carry it."""
    return resolve_run(key).hash()


def parse_settings(pairs: tuple[str, ...] | list[str], source: str = "--set") -> dict[str, Any]:
    """Turn `key=value` strings of `--set` into values; `quirks.name=true` sets one switch."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"{source} takes key=value, got {pair!r}; for example time_steps=4")
        value = parse_value(text)
        if key.startswith("quirks."):
            switches = settings.setdefault("quirks", {})
            if not isinstance(switches, dict):
                raise InputError(f"{source} {pair}: quirks is already set as a whole; use one of the two forms")
            switches[key.removeprefix("quirks.")] = value
        else:
            require_known_keys({key: value}, (*_SETTABLE, "seed"), source)
            settings[key] = value
    return settings


def resolve_file(path: Path | str, settings: Mapping[str, Any] | None = None, seed: int | None = None) -> Resolved:
    """Compose the configuration that a run file of ours asks for (keys of RunConfig; dataset and model are needed)."""
    content = read_yaml(path)
    require_known_keys(content, RUN_KEYS, str(path))
    for key in ("dataset", "model"):
        if not isinstance(content.get(key), str):
            raise InputError(f"{path}: key {key!r} is missing or not a name; add for example `{key}: {_EXAMPLE[key]}`")
    given_seed = content.get("seed", 0) if seed is None else seed
    return resolve(
        content["dataset"],
        content["model"],
        str(content.get("variant", "paper")),
        given_seed,
        file_values=content,
        source=str(path),
        settings=settings,
    )


_EXAMPLE = {"dataset": "mnist", "model": "sgad"}
