"""Closed forms, invariances, and parity with three packages on the same features."""

import warnings

import numpy as np
import pytest
from scipy import linalg

from sgad.measures.mathematics.frechet import (
    factor,
    frechet_distance,
    frechet_distance_of_features,
    frechet_infinity,
    root_trace,
)
from sgad.measures.mathematics.moments import moments_of


def _rotation(random, d):
    return np.linalg.qr(random.normal(size=(d, d)))[0]


def _torch_fidelity(first, second):
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    statistics = [{"mu": m.mean, "sigma": m.covariance} for m in (first, second)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def _pytorch_fid(first, second):
    from pytorch_fid.fid_score import calculate_frechet_distance

    with warnings.catch_warnings():
        # scipy 1.17 warns of `disp`, which both pass and scipy 1.18 drops; roots of singular matrices warn as well.
        warnings.simplefilter("ignore")
        return calculate_frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


def _clean_fid(first, second):
    from cleanfid.fid import frechet_distance as clean_distance

    with warnings.catch_warnings():
        # scipy 1.17 warns of `disp`, which both pass and scipy 1.18 drops; roots of singular matrices warn as well.
        warnings.simplefilter("ignore")
        return clean_distance(first.mean, first.covariance, second.mean, second.covariance)


PACKAGES = [_torch_fidelity, _pytorch_fid, _clean_fid]


def test_equal_covariances_leave_the_squared_mean_distance():
    assert frechet_distance(np.zeros(8), np.eye(8), np.ones(8), np.eye(8)) == pytest.approx(8.0, rel=1e-14)


def test_one_dimension():
    # (m1 - m2)^2 + (s1 - s2)^2 with standard deviations 2 and 5.
    assert frechet_distance(1.0, 4.0, 4.0, 25.0) == pytest.approx(18.0, rel=1e-14)


@pytest.mark.parametrize("d", [1, 2, 17, 200])
def test_commuting_covariances(random, d):
    q, a, b = _rotation(random, d), random.uniform(0.1, 9, d), random.uniform(0.1, 9, d)
    expected = np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_distance(np.zeros(d), q * a @ q.T, np.zeros(d), q * b @ q.T) == pytest.approx(expected, rel=1e-10)


def test_a_pair_that_does_not_commute_in_two_dimensions():
    # tr (C1 C2)^(1/2) = sqrt(tr(C1 C2) + 2 sqrt(det(C1 C2))) for 2 x 2.
    c1, c2 = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, -1.0], [-1.0, 1.0]])
    expected = np.sqrt(np.trace(c1 @ c2) + 2 * np.sqrt(np.linalg.det(c1 @ c2)))
    assert root_trace(c1, c2) == pytest.approx(expected, rel=1e-13)


def test_a_constant_set_leaves_the_other_ones_trace(random):
    constant, other = np.full((50, 6), 0.3), random.normal(size=(80, 6))
    moments = moments_of(other)
    expected = np.sum((moments.mean - 0.3) ** 2) + np.trace(moments.covariance)
    assert frechet_distance_of_features(constant, other) == pytest.approx(expected, rel=1e-12)
    first = moments_of(constant)
    found = frechet_distance(first.mean, first.covariance, moments.mean, moments.covariance)
    assert found == pytest.approx(expected, rel=1e-7)


def test_two_constant_sets_are_as_far_as_their_points():
    assert frechet_distance_of_features(np.zeros((9, 4)), np.full((7, 4), 2.0)) == 16.0


def test_two_images_a_side(random):
    # Rank one: C = (a - b)(a - b)' / 2, so the root's trace is |u . v| with u, v the halved differences.
    x, y = random.normal(size=(2, 5)), random.normal(size=(2, 5))
    u, v = (x[0] - x[1]) / np.sqrt(2), (y[0] - y[1]) / np.sqrt(2)
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + u @ u + v @ v - 2 * abs(u @ v)
    assert frechet_distance_of_features(x, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n1", "n2"), [(10, 10), (30, 10), (10, 300), (31, 29), (300, 400)])
def test_features_and_moments_agree(random, n1, n2):
    x, y = random.normal(size=(n1, 30)), random.normal(0.5, 1.5, (n2, 30))
    a, b = moments_of(x), moments_of(y)
    by_moments = frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    assert frechet_distance_of_features(x, y) == pytest.approx(by_moments, rel=1e-9)


def test_it_does_not_depend_on_order_or_rotation(random):
    x, y, q = random.normal(size=(40, 12)), random.normal(1, 2, (60, 12)), _rotation(random, 12)
    expected = frechet_distance_of_features(x, y)
    assert frechet_distance_of_features(y, x) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance_of_features(random.permutation(x), y) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance_of_features(x @ q, y @ q) == pytest.approx(expected, rel=1e-11)
    assert frechet_distance_of_features(3 * x, 3 * y) == pytest.approx(9 * expected, rel=1e-11)


@pytest.mark.parametrize("n", [5, 50])
def test_a_set_is_at_no_distance_from_itself(random, n):
    x = random.normal(size=(n, 20))
    assert 0 <= frechet_distance_of_features(x, x) < 1e-12
    m = moments_of(x)
    assert 0 <= frechet_distance(m.mean, m.covariance, m.mean, m.covariance) < 1e-10


def test_float32_features_are_summed_in_float64(random):
    x = random.normal(size=(5000, 4)).astype(np.float32) + np.float32(1000)
    y = random.normal(size=(5000, 4)).astype(np.float32) + np.float32(1000)
    expected = frechet_distance_of_features(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance_of_features(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [1, 7, 39, 40])
def test_a_factor_gives_its_covariance_back(random, rank):
    a = random.normal(size=(40, rank)) * np.logspace(0, -4, rank)
    f = factor(a @ a.T)
    assert f.shape[1] == rank
    np.testing.assert_allclose(f @ f.T, a @ a.T, atol=1e-13 * np.trace(a @ a.T))


@pytest.mark.parametrize("decades", [1, 3, 5])
@pytest.mark.parametrize("same_axes", [True, False])
def test_large_products_are_as_exact_as_their_singular_values(random, decades, same_axes):
    d = 300
    q = _rotation(random, d)
    p = q if same_axes else _rotation(random, d)
    spectrum = np.logspace(0, -decades, d)
    a, b = (moments_of((random.normal(size=(4 * d, d)) * spectrum) @ axes).covariance for axes in (q, p))
    exact = linalg.svdvals(factor(a).T @ factor(b)).sum()
    assert root_trace(a, b) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("rotated", [True, False])
def test_large_products_of_missing_rank_gain_nothing_from_noise(random, rotated):
    # Each set is constant in some features, not in the same ones: the product has a rank of 100.
    x, y, q = random.normal(size=(900, 600)), random.normal(size=(900, 600)), _rotation(random, 600)
    x[:, 350:], y[:, :250] = 0.5, -0.25
    if rotated:
        x, y = x @ q, y @ q
    exact = linalg.svdvals((x - x.mean(0)) @ (y - y.mean(0)).T).sum() / 899
    found = root_trace(moments_of(x).covariance, moments_of(y).covariance)
    assert found == pytest.approx(exact, rel=1e-12)


def test_a_slightly_indefinite_covariance_is_cut_not_made_complex(random):
    q = _rotation(random, 30)
    values = np.r_[np.linspace(1, 5, 29), -1e-9]
    f = factor((q * values) @ q.T)
    assert f.shape == (30, 29)
    assert np.isrealobj(f)


def test_a_spectrum_over_ten_decades_in_float32():
    # pytorch-fid stops here with "Imaginary component".
    random = np.random.default_rng(0)
    scales = np.logspace(2, -3, 256)
    x, y = random.normal(size=(100, 256)) * scales, random.normal(size=(100, 256)) * scales
    exact = frechet_distance_of_features(x, y)
    moments = [(m.mean, m.covariance.astype(np.float32)) for m in (moments_of(x), moments_of(y))]
    assert frechet_distance(*moments[0], *moments[1]) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("d", [3, 64, 128])
def test_parity_at_full_rank(random, package, d):
    mixing = random.normal(size=(d, d)) / np.sqrt(d)
    first = moments_of(random.normal(size=(20 * d, d)) @ mixing)
    second = moments_of(random.normal(0.2, 1.2, (30 * d, d)) @ mixing.T)
    ours = frechet_distance(first.mean, first.covariance, second.mean, second.covariance)
    assert package(first, second) == pytest.approx(ours, rel=1e-9)


@pytest.mark.parametrize("package", PACKAGES)
def test_parity_where_rank_is_deficient(random, package):
    x, y = random.normal(size=(50, 120)), random.normal(0.2, 1.2, (60, 120))
    first, second = moments_of(x), moments_of(y)
    assert package(first, second) == pytest.approx(frechet_distance_of_features(x, y), rel=1e-4)


def test_it_beats_sqrtm_where_rank_is_deficient(random):
    x, y = random.normal(size=(50, 120)), random.normal(0.2, 1.2, (60, 120))
    first, second = moments_of(x), moments_of(y)
    exact = linalg.svdvals((x - x.mean(0)) @ (y - y.mean(0)).T).sum() / np.sqrt(49 * 59)
    product = np.clip(np.linalg.eigvals(first.covariance @ second.covariance).real, 0, None)
    assert abs(root_trace(first.covariance, second.covariance) / exact - 1) < 1e-12
    assert abs(np.sqrt(product).sum() / exact - 1) > 1e-12


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((np.zeros(3), np.eye(3), np.zeros(4), np.eye(4)), "same length"),
        ((np.zeros(3), np.eye(4), np.zeros(3), np.eye(3)), r"\(d,\) and \(d, d\)"),
        ((np.zeros(2), np.array([[1, 2], [0, 1]]), np.zeros(2), np.eye(2)), "not symmetric"),
        ((np.array([0, np.nan]), np.eye(2), np.zeros(2), np.eye(2)), "not finite"),
        ((np.zeros(2), np.eye(2), np.zeros(2), np.full((2, 2), np.inf)), "not finite"),
    ],
)
def test_what_is_no_gaussian_is_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        frechet_distance(*arguments)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance_of_features(np.full((3, 2), np.nan), np.zeros((3, 2)))


def test_extrapolation_removes_most_of_the_bias(random):
    x, y = random.normal(size=(4000, 32)), random.normal(0.3, 1, (50_000, 32))
    found = frechet_infinity(x, moments_of(y))
    truth = 32 * 0.09
    biased = found.distances[-1]
    assert abs(found.value - truth) < 0.5 * abs(biased - truth) + 0.02
    assert found.slope > 0
    assert 0 <= found.residual < 0.05
    assert found.sizes[0] == 800
    assert found.sizes[-1] == 4000


def test_extrapolation_is_the_same_for_the_same_seed(random):
    x, reference = random.normal(size=(100, 4)), moments_of(random.normal(size=(200, 4)))
    assert frechet_infinity(x, reference, seed=3) == frechet_infinity(x, reference, seed=3)
    assert frechet_infinity(x, reference, seed=3) != frechet_infinity(x, reference, seed=4)


def test_extrapolation_needs_a_few_images(random):
    with pytest.raises(ValueError, match="at least 10"):
        frechet_infinity(random.normal(size=(9, 2)), moments_of(random.normal(size=(20, 2))))
