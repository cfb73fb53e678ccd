import numpy as np
import pytest

from sgad.measures.mathematics.kernel import kernel_distance, kernel_distance_subsets


def _brute_force(x, y):
    """The definition: a double sum over pairs, without the diagonal."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    m, n = len(x), len(y)
    within_x = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    within_y = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


def _brute_force_error(x, y):
    """Delete-one jackknife, one estimate a deleted vector."""
    left = [_brute_force(np.delete(x, i, 0), y) for i in range(len(x))]
    right = [_brute_force(x, np.delete(y, i, 0)) for i in range(len(y))]
    return np.sqrt((len(x) - 1) * np.var(left) + (len(y) - 1) * np.var(right))


@pytest.mark.parametrize(("m", "n", "d"), [(3, 3, 1), (7, 12, 5), (12, 7, 5)])
def test_value_and_error_are_the_definition(random, m, n, d):
    x, y = random.normal(size=(m, d)), random.normal(0.3, 1, (n, d))
    found = kernel_distance(x, y)
    assert found.value == pytest.approx(_brute_force(x, y), rel=1e-11)
    assert found.standard_error == pytest.approx(_brute_force_error(x, y), rel=1e-9)


def test_blocks_do_not_matter(random, monkeypatch):
    x, y = random.normal(size=(50, 4)), random.normal(size=(70, 4))
    whole = kernel_distance(x, y)
    monkeypatch.setattr("sgad.measures.mathematics.kernel.BLOCK_ROWS", 7)
    assert kernel_distance(x, y).value == pytest.approx(whole.value, rel=1e-12)


def test_it_is_unbiased_and_so_negative_at_times(random):
    values = [kernel_distance(random.normal(size=(40, 6)), random.normal(size=(40, 6))).value for _ in range(200)]
    assert min(values) < 0
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_the_error_is_about_the_spread_of_the_estimate(random):
    draws = [kernel_distance(random.normal(size=(60, 6)), random.normal(0.5, 1, (60, 6))) for _ in range(200)]
    spread = np.std([draw.value for draw in draws])
    assert 0.6 < np.mean([draw.standard_error for draw in draws]) / spread < 1.6


def test_order_and_rotation_do_not_matter(random):
    x, y = random.normal(size=(20, 6)), random.normal(1, 1, (30, 6))
    q = np.linalg.qr(random.normal(size=(6, 6)))[0]
    expected = kernel_distance(x, y)
    assert kernel_distance(random.permutation(x) @ q, y @ q).value == pytest.approx(expected.value, rel=1e-10)
    assert kernel_distance(y, x).value == pytest.approx(expected.value, rel=1e-12)


def test_subsets_are_those_of_torch_fidelity(random):
    import torch
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = random.normal(size=(120, 16)), random.normal(0.2, 1, (150, 16))
    theirs = kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=20, kid_subset_size=50, verbose=False
    )
    ours = kernel_distance_subsets(x, y, subsets=20, size=50)
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-10)
    assert ours.deviation == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-9)


def test_subsets_larger_than_the_set_are_lowered_and_said(random):
    found = kernel_distance_subsets(random.normal(size=(30, 3)), random.normal(size=(50, 3)), subsets=4)
    assert found.size == 30


def test_too_few_vectors_are_refused(random):
    with pytest.raises(ValueError, match="at least 3"):
        kernel_distance(random.normal(size=(2, 3)), random.normal(size=(9, 3)))


def test_widths_must_agree(random):
    with pytest.raises(ValueError, match="features must be"):
        kernel_distance(random.normal(size=(5, 3)), random.normal(size=(5, 4)))
