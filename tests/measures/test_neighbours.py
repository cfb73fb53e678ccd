import numpy as np
import pytest

from sgad.measures.mathematics.neighbours import (
    memorisation,
    nearest_distances,
    neighbourhood_scores,
    squared_distances,
)


def _brute_force(fake, real, k_manifold, k_density):
    """Precision, recall, density and coverage by their definitions, one distance at a time."""

    def distance(a, b):
        return np.sqrt(np.sum((a - b) ** 2))

    def radius(points, index, k):
        return sorted(distance(points[index], p) for j, p in enumerate(points) if j != index)[k - 1]

    def covered(point, points, radii):
        return any(distance(point, p) <= r for p, r in zip(points, radii, strict=True))

    real_radii = [radius(real, j, k_manifold) for j in range(len(real))]
    fake_radii = [radius(fake, j, k_manifold) for j in range(len(fake))]
    wide = [radius(real, j, k_density) for j in range(len(real))]
    precision = np.mean([covered(f, real, real_radii) for f in fake])
    recall = np.mean([covered(r, fake, fake_radii) for r in real])
    inside = sum(distance(f, r) <= w for f in fake for r, w in zip(real, wide, strict=True))
    coverage = np.mean([min(distance(f, r) for f in fake) <= w for r, w in zip(real, wide, strict=True)])
    return precision, recall, inside / (k_density * len(fake)), coverage


@pytest.mark.parametrize(("m", "n", "d", "shift"), [(20, 20, 2, 0.5), (25, 40, 5, 1.0), (40, 25, 3, 0.0)])
def test_scores_are_the_definitions(random, m, n, d, shift):
    fake, real = random.normal(shift, 0.8, (m, d)), random.normal(size=(n, d))
    found = neighbourhood_scores(fake, real)
    expected = _brute_force(fake, real, 3, 5)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected, rel=1e-12)


def test_precision_and_recall_are_those_of_torch_fidelity(random):
    import torch
    from torch_fidelity.metric_prc import prc_features_to_metric

    fake, real = random.normal(0.4, 0.9, (300, 10)), random.normal(size=(300, 10))
    theirs = prc_features_to_metric(torch.from_numpy(fake), torch.from_numpy(real), verbose=False)
    ours = neighbourhood_scores(fake, real)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-7)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-7)


def test_a_copy_of_the_reference_scores_full(random):
    real = random.normal(size=(50, 4))
    found = neighbourhood_scores(real, real)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_far_sets_score_nothing(random):
    found = neighbourhood_scores(random.normal(size=(30, 3)), random.normal(1e3, 1, (30, 3)))
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_a_collapsed_generator_has_no_recall(random):
    real = random.normal(size=(60, 3))
    fake = np.tile(real[:1], (60, 1))
    found = neighbourhood_scores(fake, real)
    assert found.precision == 1.0
    # Balls of radius 0 hold the one image that is copied, and nothing else.
    assert found.recall == pytest.approx(1 / 60)


def test_blocks_order_and_rotation_do_not_matter(random, monkeypatch):
    fake, real = random.normal(0.5, 1, (40, 4)), random.normal(size=(50, 4))
    q = np.linalg.qr(random.normal(size=(4, 4)))[0]
    expected = neighbourhood_scores(fake, real)
    monkeypatch.setattr("sgad.measures.mathematics.neighbours.BLOCK_ROWS", 9)
    assert neighbourhood_scores(random.permutation(fake), random.permutation(real)) == expected
    assert neighbourhood_scores(fake @ q, real @ q) == expected


def test_copies_are_at_distance_zero(random):
    x = random.normal(size=(20, 300)) + 50
    assert (np.diagonal(squared_distances(x, x)) == 0).all()


def test_too_few_vectors_are_refused(random):
    with pytest.raises(ValueError, match="at least 6"):
        neighbourhood_scores(random.normal(size=(5, 2)), random.normal(size=(50, 2)))


def test_nearest_distances_are_the_smallest(random):
    x, y = random.normal(size=(15, 6)), random.normal(size=(40, 6))
    expected = np.sqrt(((x[:, None] - y[None]) ** 2).sum(2)).min(1)
    np.testing.assert_allclose(nearest_distances(x, np.array_split(y, 7)), expected, rtol=1e-11)


def test_a_point_among_the_points_leaves_itself_out(random):
    x = random.normal(size=(30, 6))
    distances = np.sqrt(((x[:, None] - x[None]) ** 2).sum(2)) + np.diag(np.full(30, np.inf))
    np.testing.assert_allclose(nearest_distances(x, [x], leave_out_copies=1), distances.min(1), rtol=1e-11)


def test_memorisation_tells_copies_from_new_images(random):
    train, test, new = (random.normal(size=(200, 10)) for _ in range(3))
    held_out = nearest_distances(test, [train])
    assert memorisation(nearest_distances(train[:50], [train]), held_out).ratio == 0
    assert memorisation(nearest_distances(train[:50], [train]), held_out).share_closer == 1
    assert 0.8 < memorisation(nearest_distances(new, [train]), held_out).ratio < 1.25


def test_memorisation_needs_held_out_images_that_are_not_copies():
    with pytest.raises(ValueError, match="copies"):
        memorisation(np.ones(3), np.zeros(3))
