import numpy as np
import pytest

from sgad.measures.mathematics.inception_score import inception_score, log_softmax


def test_certain_and_even_predictions_give_the_number_of_classes():
    logits = np.kron(np.eye(5), np.ones((20, 1))) * 1e4
    assert inception_score(logits, chunks=1, seed=None).whole == pytest.approx(5.0, rel=1e-12)


def test_equal_predictions_give_one(random):
    logits = np.tile(random.normal(size=(1, 7)), (30, 1))
    score = inception_score(logits, chunks=10)
    assert score.mean == pytest.approx(1.0, rel=1e-12)
    assert score.deviation == pytest.approx(0.0, abs=1e-12)


def test_it_is_the_definition(random):
    logits = random.normal(size=(40, 6))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    q = p.mean(0)
    expected = np.exp(np.mean([np.sum(row * np.log(row / q)) for row in p]))
    assert inception_score(logits, chunks=1).whole == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [100, 107])
def test_parity_with_torch_fidelity(random, n):
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = random.normal(0, 3, (n, 20))
    theirs = isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=True, rng_seed=2020)
    ours = inception_score(logits)
    assert ours.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-12)
    assert ours.deviation == pytest.approx(theirs["inception_score_std"], rel=1e-9)


def test_large_logits_do_not_overflow():
    assert np.isfinite(log_softmax(np.array([[1e5, 0.0, -1e5]]))).all()


def test_fewer_images_than_chunks_are_refused(random):
    with pytest.raises(ValueError, match="at least as many images"):
        inception_score(random.normal(size=(9, 3)), chunks=10)
