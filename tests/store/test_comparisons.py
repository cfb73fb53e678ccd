"""Which comparisons an experiment makes, by which design, and what each verdict rests on."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgad.store.comparisons import Comparison, compare, comparisons_frame, tied_with_best
from sgad.store.inference import holm
from sgad.store.stored import METRIC_COLUMNS
from sgad.store.summary import summarise
from tests.store.test_summary import runs_of

Values = dict[tuple[str, str, str], list[float]]


def metrics_of(values: Values) -> pd.DataFrame:
    """Rows of metrics.csv from values by (model, variant, metric), one a seed."""
    rows = [
        {"dataset": "digits", "model": model, "variant": variant, "family": "snn", "time_steps": 4, "seed": seed}
        | {"metric": metric, "value": value, "n": 100, "protocol": "A", "status": "completed"}
        for (model, variant, metric), seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def pick(found: list[Comparison], **wanted: str) -> Comparison:
    (only,) = [each for each in found if all(getattr(each, key) == value for key, value in wanted.items())]
    return only


CLEAR: Values = {
    ("sgad", "tuned", "cfd"): [1.0, 1.1, 0.9],
    ("swgan", "tuned", "cfd"): [5.0, 5.2, 4.9],
    ("sgan", "tuned", "cfd"): [5.1, 5.3, 4.6],
    ("sgad", "tuned", "ccs"): [8.0, 8.1, 8.2],
    ("swgan", "tuned", "ccs"): [5.0, 5.1, 5.3],
}


def test_models_of_one_recipe_are_compared_by_welch_with_holm_over_all_measures() -> None:
    found = compare(metrics_of(CLEAR))
    assert [(each.metric, each.model, each.other_model) for each in found] == [
        ("cfd", "sgad", "swgan"),
        ("cfd", "sgad", "sgan"),
        ("cfd", "swgan", "sgan"),
        ("ccs", "sgad", "swgan"),
    ]
    p_values = [
        stats.ttest_ind(
            CLEAR[each.model, "tuned", each.metric], CLEAR[each.other_model, "tuned", each.metric], equal_var=False
        ).pvalue
        for each in found
    ]
    assert [each.p for each in found] == pytest.approx(p_values)
    assert [each.p_holm for each in found] == pytest.approx(holm(p_values))
    assert {each.comparisons for each in found} == {4}
    # Lower is better for cfd, higher for ccs.
    assert [each.verdict for each in found] == ["better", "better", "not told apart", "better"]
    assert found[0].difference == pytest.approx(np.mean([1.0, 1.1, 0.9]) - np.mean([5.0, 5.2, 4.9]))


def test_unequal_lengths_are_not_compared() -> None:
    values = {("sgad", "tuned+max_steps=6000", "cfd"): [1.0, 1.1, 0.9], ("sgan", "tuned", "cfd"): [5.0, 5.1, 5.2]}
    assert compare(metrics_of(values)) == []


def test_variants_with_the_same_seeds_are_pairs_against_the_first() -> None:
    values = {
        ("sgad", "tuned", "cfd"): [10.0, 20.0, 30.0],
        ("sgad", "tuned+tau=4", "cfd"): [12.0, 22.1, 31.9],
        ("sgad", "tuned+tau=8", "cfd"): [12.0, 22.1],
    }
    found = compare(metrics_of(values))
    four, eight = pick(found, variant="tuned+tau=4"), pick(found, variant="tuned+tau=8")
    assert (four.design, four.other_variant, four.verdict) == ("paired", "tuned", "worse")
    assert four.p == pytest.approx(stats.ttest_rel([12.0, 22.1, 31.9], [10.0, 20.0, 30.0]).pvalue)
    # Two seeds give an interval and no verdict, and do not count among the comparisons.
    assert (eight.design, eight.verdict, four.comparisons) == ("welch", "too few seeds", 1)
    assert not math.isnan(eight.low) and math.isnan(eight.p)


def test_many_comparisons_need_smaller_p_values() -> None:
    few = {("sgad", "tuned", "cfd"): [1.0, 2.0, 3.0], ("sgan", "tuned", "cfd"): [5.0, 5.5, 6.0]}
    assert pick(compare(metrics_of(few)), metric="cfd").verdict == "better"
    many = few | {("sgad", "tuned", f"m{i}"): [1.0, 2.0, 3.0] for i in range(9)}
    many |= {("sgan", "tuned", f"m{i}"): [1.0, 2.5, 3.0] for i in range(9)}
    assert pick(compare(metrics_of(many)), metric="cfd").verdict == "not told apart"


def test_numbers_for_choosing_are_compared_only_by_a_search() -> None:
    valid = {("sgad", v, "cfd_val"): [1.0 + x, 2.0 + x, 3.0 + x] for v, x in (("tuned", 0.0), ("tuned+tau=4", 0.01))}
    assert {each.metric for each in compare(metrics_of(valid))} == {"cfd_val"}
    test = {(model, variant, "cfd"): seeds for (model, variant, _), seeds in valid.items()}
    assert {each.metric for each in compare(metrics_of(valid | test))} == {"cfd"}


def test_baselines_and_absent_values_take_no_part() -> None:
    values = {**CLEAR, ("real_train", "tuned", "cfd"): [0.1]}
    values["sgan", "tuned", "cfd"] = [5.1, math.nan, 4.6]
    found = compare(metrics_of(values))
    assert "real_train" not in {name for each in found for name in (each.model, each.other_model)}
    assert pick(found, metric="cfd", model="sgad", other_model="sgan").other_n == 2


def test_the_frame_has_a_column_for_each_fact() -> None:
    frame = comparisons_frame(compare(metrics_of(CLEAR)))
    assert list(frame.columns) == list(Comparison.__dataclass_fields__) and len(frame) == 4
    assert list(comparisons_frame([]).columns) == list(frame.columns)


def ties(values: Values, metric: str = "cfd") -> set[tuple[str, str]]:
    metrics = metrics_of(values)
    return tied_with_best(summarise(metrics, runs_of(metrics)), metric)


def test_the_best_and_what_is_not_told_apart_from_it_are_tied() -> None:
    assert ties(CLEAR) == {("sgad", "tuned")}
    assert ties(CLEAR, "ccs") == {("sgad", "tuned")}
    near = {**CLEAR, ("swgan", "tuned", "cfd"): [1.0, 1.2, 0.9]}
    assert ties(near) == {("sgad", "tuned"), ("swgan", "tuned")}


def test_one_or_two_seeds_are_never_the_best() -> None:
    lucky = {**CLEAR, ("hybrid", "tuned", "cfd"): [0.1], ("sgad", "quick", "cfd"): [0.2, 0.3]}
    assert ties(lucky) == {("sgad", "tuned")}
    assert ties({("sgad", "tuned", "cfd"): [1.0], ("sgan", "tuned", "cfd"): [2.0]}) == set()
    assert ties({(model, "tuned", "cfd"): [1.0, 2.0, 3.0] for model in ("sgad", "sgan")}) == set()
