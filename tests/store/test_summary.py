import math

import pandas as pd
import pytest
from scipy import stats

from sgad.errors import InputError
from sgad.reporting.page.verdicts import verdicts
from sgad.store.stored import METRIC_COLUMNS, RUN_COLUMNS, Captions, Stored
from sgad.store.summary import summarise

NO_CAPTIONS = Captions(experiment="e", title="", note="", description="", datasets={}, variants={}, remedies={})


def metrics_of(*rows: dict[str, object]) -> pd.DataFrame:
    common = {"dataset": "digits", "model": "sgad", "variant": "quick", "family": "snn", "time_steps": 4, "seed": 0}
    common |= {"metric": "cfd", "n": 100, "protocol": "A", "status": "completed"}
    frame = pd.DataFrame([{**common, **row} for row in rows], columns=METRIC_COLUMNS)
    frame["value"] = frame["value"].astype(float)
    return frame


def runs_of(metrics: pd.DataFrame, status: str = "completed") -> pd.DataFrame:
    runs = metrics[["dataset", "model", "variant", "seed"]].drop_duplicates().assign(status=status)
    return runs.reindex(columns=RUN_COLUMNS)


def test_mean_spread_and_interval_of_three_seeds_by_hand() -> None:
    metrics = metrics_of(*({"seed": seed, "value": value} for seed, value in enumerate([1.0, 2.0, 3.0])))
    row = summarise(metrics, runs_of(metrics)).iloc[0]
    assert (row["mean"], row["std"], row["n"]) == (2.0, 1.0, 3)
    # 4.302653 is the quantile of t with two degrees of freedom.
    assert row["high"] - row["mean"] == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert row["low"] + row["high"] == pytest.approx(4.0)


def test_one_seed_has_a_mean_but_no_spread() -> None:
    metrics = metrics_of({"value": 5.0})
    row = summarise(metrics, runs_of(metrics)).iloc[0]
    assert row["mean"] == 5.0
    assert row["n"] == 1
    assert math.isnan(row["std"])
    assert math.isnan(row["low"])


def test_a_collapsed_run_counts_with_its_bad_value() -> None:
    metrics = metrics_of({"value": 10.0}, {"seed": 1, "value": 90.0, "status": "collapsed"})
    runs = runs_of(metrics)
    runs.loc[runs["seed"] == 1, "status"] = "collapsed"
    row = summarise(metrics, runs).iloc[0]
    assert (row["mean"], row["runs"], row["completed"], row["collapsed"]) == (50.0, 2, 1, 1)


def test_runs_without_values_keep_their_row(stored: Stored) -> None:
    metrics = metrics_of({"value": math.nan, "status": "diverged: NaN"})
    row = summarise(metrics, runs_of(metrics, "diverged")).iloc[0]
    assert (row["n"], row["runs"], row["diverged"]) == (0, 1, 1)
    assert math.isnan(row["mean"])
    fake = summarise(stored.metrics, stored.runs)
    assert set(fake[fake["model"] == "swgan"]["diverged"]) == {1}
    assert set(fake[fake["model"] == "sgad"]["absent"]) == {1}


def test_two_protocols_in_one_column_are_refused_by_name() -> None:
    metrics = metrics_of({"value": 1.0, "protocol": "A"}, {"model": "sgan", "value": 2.0, "protocol": "B"})
    with pytest.raises(InputError, match=r"cfd on digits.*'A' .sgad. and 'B' .sgan."):
        summarise(metrics, runs_of(metrics))


def test_protocols_may_differ_between_data_sets_and_where_there_is_no_value() -> None:
    metrics = metrics_of(
        {"value": 1.0},
        {"dataset": "mnist", "value": 2.0, "protocol": "B"},
        {"seed": 1, "value": math.nan, "protocol": "C", "status": "not computed: weights absent"},
    )
    assert list(summarise(metrics, runs_of(metrics))["n"]) == [1, 1]


def test_verdict_names_the_best_and_says_how_sure_that_is() -> None:
    sgad = [{"seed": seed, "value": 1.0 + seed / 100} for seed in range(3)]
    sgan = [{"model": "sgan", "seed": seed, "value": 9.0 + seed / 100} for seed in range(3)]
    scale = {"model": "real_train", "value": 0.1, "family": "baseline"}
    metrics = metrics_of(*sgad, *sgan, scale)
    (verdict,) = verdicts(summarise(metrics, runs_of(metrics)), NO_CAPTIONS, "digits")
    assert (verdict.best, verdict.runner_up, verdict.gap) == ("SGAD", "SGAN", pytest.approx(8.0))
    assert verdict.certainty == "better" and verdict.is_sure
    assert verdict.low == pytest.approx(8 - stats.t.ppf(0.975, 4) * math.sqrt(2 * 1e-4 / 3))


@pytest.mark.parametrize(
    ("values", "certainty"),
    [
        ({"sgad": [1.0, 9.0, 3.0], "sgan": [2.0, 9.5, 4.0]}, "not told apart"),
        ({"sgad": [1.0, 1.1], "sgan": [2.0, 3.0, 4.0]}, "too few seeds"),
        ({"sgad": [1.0, 2.0]}, "nothing to compare with"),
    ],
)
def test_verdicts_do_not_claim_too_much(values: dict[str, list[float]], certainty: str) -> None:
    metrics = metrics_of(
        *(
            {"model": model, "seed": seed, "value": value}
            for model, row in values.items()
            for seed, value in enumerate(row)
        )
    )
    (verdict,) = verdicts(summarise(metrics, runs_of(metrics)), NO_CAPTIONS, "digits")
    assert verdict.certainty == certainty
