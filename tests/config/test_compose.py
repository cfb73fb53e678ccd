"""Composition: which layer wins, where a value came from, and what a wrong key is answered."""

import csv
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from sgad.config.compose import check_runs, parse_settings, resolve, resolve_file, run_hash, variant_note
from sgad.config.experiment import ExperimentConfig, RunKey, load_experiment
from sgad.config.yaml_files import dump_yaml
from sgad.errors import InputError


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small configurations that is searched before the project's own."""
    files = {
        "datasets/dots.yaml": "name: dots\nshape: [1, 28, 28]\n",
        "models/tiny.yaml": (
            "title: Tiny\ndefaults: {latent_dim: 3, time_steps: 5, quirks: {nmnist_axes: true}}\n"
            "shapes: {1x28x28: {latent_dim: 4}}\ndatasets: {dots: {batch_size: 8}}\n"
        ),
        "variants/fast.yaml": (
            "title: Fast\nnote: quick and small\n"
            "defaults: {time_steps: 2, quirks: {generator_run_twice: true}}\nmodels: {tiny: {epochs: 3}}\n"
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("SGAD_CONFIGS", str(tmp_path))
    return tmp_path


def test_later_layers_win_and_origins_say_so(configs: Path) -> None:
    resolved = resolve("dots", "tiny", "fast", 7, settings={"epochs": 9})
    config, origins = resolved.config, resolved.origins
    assert (config.latent_dim, config.batch_size, config.time_steps, config.epochs, config.seed) == (
        4,
        8,
        2,
        9,
        7,
    )
    assert config.quirks.nmnist_axes and config.quirks.generator_run_twice
    assert origins["latent_dim"] == "configs/models/tiny.yaml shapes.1x28x28"
    assert origins["batch_size"] == "configs/models/tiny.yaml datasets.dots"
    assert origins["time_steps"] == "configs/variants/fast.yaml"
    assert origins["epochs"] == "--set"
    assert origins["tau"] == "default"


def test_a_variant_may_be_put_together_from_files_and_values(configs: Path) -> None:
    resolved = resolve("dots", "tiny", "fast+time_steps=6+quirks.nmnist_axes=false")
    config, origins = resolved.config, resolved.origins
    assert (config.variant, config.time_steps, config.epochs) == ("fast+time_steps=6+quirks.nmnist_axes=false", 6, 3)
    assert config.quirks.generator_run_twice and not config.quirks.nmnist_axes
    assert origins["time_steps"] == "variant time_steps=6"
    assert resolve("dots", "tiny", "time_steps=6+fast").config.time_steps == 2
    assert variant_note("fast+time_steps=6") == "quick and small, time_steps=6"


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("fast+time_step=3", "variant: key 'time_step' is unknown, did you mean 'time_steps'"),
        ("fast+seed=3", "variant seed=3: key 'seed' is unknown"),
        ("fast+objective=hing", "variant objective=hing: objective = 'hing' is not allowed"),
        ("fast+fastt", "variant 'fastt' is unknown, did you mean 'fast'"),
        ("fast/../x", "variant"),
    ],
)
def test_a_wrong_part_of_a_variant_is_named(configs: Path, variant: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        resolve("dots", "tiny", variant)


def test_a_shown_configuration_is_a_run_file(configs: Path, tmp_path: Path) -> None:
    resolved = resolve("dots", "tiny", "fast", 7)
    file = tmp_path / "run.yaml"
    file.write_text(dump_yaml(resolved.config.model_dump(mode="json")))
    assert resolve_file(file).config == resolved.config
    assert resolve_file(file, {"epochs": 2}, seed=1).config.seed == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dots", "tinny", "fast"), "did you mean 'tiny'"),
        (("dot", "tiny", "fast"), "dataset 'dot' is unknown"),
        (("dots", "tiny", "fats"), "did you mean 'fast'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(
    configs: Path, arguments: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        resolve(*arguments)


def test_a_wrong_key_in_a_file_names_the_file(configs: Path) -> None:
    (configs / "variants" / "wrong.yaml").write_text("title: Wrong\ndefaults: {time_step: 2}\n")
    with pytest.raises(
        InputError, match=r"wrong\.yaml \(defaults\): key 'time_step' is unknown, did you mean 'time_steps'"
    ):
        resolve("dots", "tiny", "wrong")


def test_a_wrong_value_names_its_origin(configs: Path) -> None:
    with pytest.raises(InputError, match="--set: objective = 'hing' is not allowed"):
        resolve("dots", "tiny", "fast", settings={"objective": "hing"})


def test_settings_are_parsed_as_yaml() -> None:
    pairs = ["lr_generator=2e-4", "drop_last=true", "betas=[0.0, 0.9]", "quirks.nmnist_axes=true", "seed=3"]
    assert parse_settings(pairs) == {
        "lr_generator": 2e-4,
        "drop_last": True,
        "betas": [0.0, 0.9],
        "quirks": {"nmnist_axes": True},
        "seed": 3,
    }


@pytest.mark.parametrize("pair", ["epochs", "=3", "epoch=3"])
def test_wrong_settings_are_refused(pair: str) -> None:
    with pytest.raises(InputError, match="--set"):
        parse_settings([pair])


def test_a_single_switch_adds_to_a_preset() -> None:
    config = resolve("nmnist", "sgad", "paper+quirks.nmnist_axes=true").config
    assert config.quirks.nmnist_axes and config.quirks.generator_run_twice
    config = resolve("nmnist", "sgan", "paper+quirks.keep_discriminator_state=false").config
    assert config.quirks.generator_run_twice and not config.quirks.keep_discriminator_state


def test_a_search_sees_held_out_images_only() -> None:
    fields = {"name": "s", "title": "S", "purpose": "search", "datasets": ("digits",), "models": ("sgad",)}
    with pytest.raises(ValidationError, match="must not see test: measures fad_fsvae, cfd"):
        ExperimentConfig.model_validate({**fields, "measures": ("fad_val", "fad_fsvae", "cfd")})
    search = ExperimentConfig.model_validate({**fields, "measures": ("fad_val", "cfd_val"), "variants": ("quick",)})
    with pytest.raises(InputError, match=r"'quick' has holdout = none.*take quick\+holdout=valid"):
        check_runs(search)
    check_runs(search.model_copy(update={"variants": ("quick+holdout=valid", "tuned")}))


def test_the_tuned_recipe_is_complete_and_behind_stable_what_stored_results_name() -> None:
    tuned = resolve("fashion_mnist", "sgan", "tuned").config
    assert (tuned.latent_dim, tuned.holdout, tuned.threshold, tuned.objective) == (32, "valid", 0.5, "hinge")
    before = resolve("fashion_mnist", "sgan", "stable+tuned").config
    assert (before.latent_dim, before.holdout) == (100, "none")
    same = before.model_dump() | {"variant": "tuned", "latent_dim": 32, "holdout": "valid"}
    assert tuned.model_dump() == same


def test_stored_results_keep_their_hashes(repository: Path) -> None:
    """A stored run whose configuration hashes otherwise would be trained anew."""
    different = []
    for path in sorted((repository / "results").glob("*/*/runs.csv")):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            key = RunKey(row["dataset"], row["model"], row["variant"], int(row["seed"]))
            if row["config_hash"] and run_hash(key) != row["config_hash"]:
                different.append(f"{path.parent.name}: {key.folder}")
    assert different == []


def experiment_of(*variants: str, **values: object) -> ExperimentConfig:
    content = {"name": "x", "title": "x", "datasets": ["digits"], "models": ["sgan"], "variants": variants, **values}
    return ExperimentConfig.model_validate(content)


@pytest.mark.parametrize(
    "variants",
    [
        ("smoke+lr_generator=1e-4", "smoke+lr_generator=1e-04"),
        ("smoke+lr_generator=0.0001", "smoke+lr_generator=1e-4"),
        ("smoke+epochs=3+latent_dim=5", "smoke+latent_dim=5+epochs=3"),
        ("paper", "paper+quirks.generator_run_twice=true"),
    ],
)
def test_one_recipe_under_two_names_is_refused(variants: tuple[str, str]) -> None:
    with pytest.raises(InputError, match="are one recipe under two names"):
        check_runs(experiment_of(*variants))


def test_recipes_that_only_draw_otherwise_are_two() -> None:
    check_runs(experiment_of("paper", "paper+sampling_statistics=batch"))


def test_the_experiments_of_the_repository_hold_no_recipe_twice(repository: Path) -> None:
    for path in sorted((repository / "configs/experiments").glob("*.yaml")):
        check_runs(load_experiment(str(path)))


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"datasets": ["digits"], "models": ["sgan"], "seeds": [0, True]}, "seeds.1"),
        ({"runs": [{"datasets": ["digits"], "models": ["sgan"], "seeds": [True]}]}, "runs.0.seeds.0"),
    ],
)
def test_a_switch_is_no_number(tmp_path: Path, content: dict[str, object], field: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(dump_yaml({"title": "x", **content}))
    with pytest.raises(InputError, match=rf"{field} is a switch .* where a number is expected; write the number"):
        load_experiment(str(path))


def test_a_switch_is_no_number_in_a_run_either() -> None:
    for settings in ({"seed": True}, {"epochs": True}, {"lr_generator": True}):
        with pytest.raises(InputError, match="is a switch"):
            resolve("digits", "sgad", seed=settings.pop("seed", 0), settings=settings)


def test_what_yaml_takes_for_a_switch_or_a_number_is_asked_for_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("title: x\ndatasets: [digits]\nmodels: [sgan]\nvariants: [on]\n")
    with pytest.raises(InputError, match="write 'True' in quotes"):
        load_experiment(str(path))
