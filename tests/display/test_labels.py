"""Labels of models and variants: as short as tells them apart."""

import pandas as pd

from sgad.display.labels import label_runs, model_labels
from sgad.store.stored import Captions

CAPTIONS = Captions(experiment="e", title="", note="", description="", datasets={}, variants={}, remedies={})


def frame(*cells: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(cells, columns=["model", "variant"])


def test_one_recipe_needs_no_name() -> None:
    assert list(model_labels(frame(("sgan", "quick"), ("sgad", "quick")), CAPTIONS).values()) == ["SGAN", "SGAD"]


def test_changes_of_one_recipe_stand_alone() -> None:
    labels = model_labels(frame(("sgad", "claims"), ("sgad", "claims+tau=4"), ("sgan", "claims")), CAPTIONS)
    assert list(labels.values()) == ["SGAD (claims)", "SGAD (tau=4)", "SGAN"]


def test_of_several_recipes_only_what_tells_apart_is_named() -> None:
    rows = frame(
        ("sgad", "stable+max_steps=6000"), ("sgad", "paper+time_steps=4"), ("swgan", "stable"), ("swgan", "stable+analog")
    )  # fmt: skip
    assert list(label_runs(rows, CAPTIONS)) == [
        "SGAD (stable)",
        "SGAD (paper)",
        "SWGAN (stable)",
        "SWGAN (stable+analog)",
    ]


def test_what_all_variants_change_is_not_named() -> None:
    labels = model_labels(frame(("sgad", "stable+max_steps=9"), ("sgad", "stable+tau=4+max_steps=9")), CAPTIONS)
    assert list(labels.values()) == ["SGAD (stable)", "SGAD (tau=4)"]


def test_a_users_model_has_the_title_of_its_file() -> None:
    captions = CAPTIONS | Captions(models={"mean_readout": "Mean readout"})  # type: ignore[typeddict-item]
    assert list(model_labels(frame(("mean_readout", "quick"), ("own", "quick")), captions).values()) == [
        "Mean readout",
        "own",
    ]
