import numpy as np
import pytest

from sgad.measures.mathematics.moments import RunningMoments, moments_of, moments_of_blocks


@pytest.mark.parametrize("n", [2, 3, 100, 5000])
def test_moments_are_those_of_numpy(random, n):
    features = random.normal(3, 2, (n, 7)).astype(np.float32)
    found = moments_of(features)
    assert found.n == n
    np.testing.assert_allclose(found.mean, features.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(features.astype(np.float64), rowvar=False), atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 999])
def test_block_size_does_not_matter(random, size):
    features = random.normal(size=(1000, 5))
    found = moments_of_blocks(features[i : i + size] for i in range(0, 1000, size))
    np.testing.assert_allclose(found.covariance, moments_of(features).covariance, rtol=1e-11, atol=1e-13)


def test_a_far_mean_costs_no_digits(random):
    features = random.normal(size=(4000, 3))
    expected = moments_of(features).covariance
    np.testing.assert_allclose(moments_of(features + 1e6).covariance, expected, rtol=1e-8, atol=1e-9)


def test_an_empty_block_changes_nothing(random):
    features = random.normal(size=(10, 3))
    running = RunningMoments(3)
    running.update(features)
    running.update(np.empty((0, 3)))
    assert running.result().n == 10


@pytest.mark.parametrize("n", [0, 1])
def test_one_vector_has_no_covariance(n):
    with pytest.raises(ValueError, match="at least 2"):
        moments_of(np.zeros((n, 3)))


def test_rank_is_judged_by_n_and_d(random):
    assert moments_of(random.normal(size=(5, 5))).is_rank_deficient
    assert not moments_of(random.normal(size=(6, 5))).is_rank_deficient


def test_features_must_be_a_matrix():
    with pytest.raises(ValueError, match=r"\(n, d\)"):
        moments_of(np.zeros(5))
