"""Differences, intervals and corrections, against SciPy, by definition and by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from sgad.store.inference import holm, paired, t_quantile, welch

FIRST, SECOND = [1.0, 2.0, 4.0, 4.5], [8.0, 9.0, 7.5]


def moments(values):
    return np.mean(values), np.std(values, ddof=1), len(values)


@pytest.mark.parametrize("degrees", [0.7, 1, 2, 2.94, 3.96, 9, 30.5, 101])
@pytest.mark.parametrize("probability", [0.5, 0.9, 0.975, 0.995])
def test_t_quantile_takes_fractional_degrees(degrees: float, probability: float) -> None:
    assert t_quantile(degrees, probability) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("degrees", "probability"), [(0, 0.975), (-1, 0.9), (3, 1.0), (3, 0.0)])
def test_t_quantile_refuses_what_has_no_answer(degrees: float, probability: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        t_quantile(degrees, probability)


def test_welch_is_scipys() -> None:
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False)
    interval = expected.confidence_interval(0.95)
    found = welch(*moments(FIRST), *moments(SECOND))
    assert found.mean == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.degrees, found.p) == pytest.approx((expected.df, expected.pvalue))
    assert found.degrees != int(found.degrees)


def test_pairs_are_scipys_and_narrower_where_seeds_move_together() -> None:
    first, second = [10.0, 20.0, 31.0], [11.0, 21.5, 32.0]
    expected = stats.ttest_rel(first, second)
    interval = expected.confidence_interval(0.95)
    found = paired([a - b for a, b in zip(first, second, strict=True)])
    assert (found.low, found.high, found.degrees, found.p) == pytest.approx(
        (interval.low, interval.high, expected.df, expected.pvalue)
    )
    independent = welch(*moments(first), *moments(second))
    assert found.high - found.low < (independent.high - independent.low) / 10


def test_one_seed_gives_a_difference_and_no_interval() -> None:
    for found in (welch(3.0, math.nan, 1, 1.0, 0.5, 3), paired([2.0])):
        assert found.mean == 2.0
        assert all(math.isnan(value) for value in (found.low, found.high, found.degrees, found.p))


def test_runs_that_agree_to_the_bit_differ_by_exactly_that() -> None:
    assert (welch(2.0, 0.0, 3, 1.0, 0.0, 3).low, welch(2.0, 0.0, 3, 1.0, 0.0, 3).p) == (1.0, 0.0)
    assert (paired([0.0, 0.0]).p, paired([0.0, 0.0]).high) == (1.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_the_closed_test_of_bonferroni(seed: int) -> None:
    """A hypothesis is rejected if Bonferroni rejects every intersection that holds it (Marcus, Peritz and Gabriel 1976)."""
    p_values = np.random.default_rng(seed).beta(0.3, 3, 7).tolist()
    subsets = [s for size in range(1, 8) for s in itertools.combinations(range(7), size)]
    bonferroni = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in subsets}
    expected = [max(p for s, p in bonferroni.items() if index in s) for index in range(7)]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_by_hand_and_without_what_has_no_p() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = holm([0.01, math.nan, 0.04, 0.03])
    assert found[0] == pytest.approx(0.03) and math.isnan(found[1])
    assert holm([]) == []
