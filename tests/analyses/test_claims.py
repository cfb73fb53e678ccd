"""Domain gap, temporal gap, events and latent space on arrays whose answer is known beforehand."""

import numpy as np
import pytest
import torch

from sgad.analyses.domain_gap.measure import domain_gap, lattice_share
from sgad.analyses.events.measure import compare_events
from sgad.analyses.latent_space.measure import class_balance, interpolate, nearest_indices, path_lengths
from sgad.analyses.temporal_gap.measure import share_findings, step_changes, temporal_gap
from sgad.analyses.toolbox.findings import Finding, missing, write_findings
from sgad.analyses.toolbox.yardsticks import ImageSet, Yardsticks, pixel_distance, pixel_histogram
from sgad.measures.extractors.features import Extractor
from sgad.measures.images import images_of_array


def mean_of_quadrants(images):
    """A feature network whose features are known: the means of the four quadrants, in [0, 1]; two classes by brightness."""
    values = images.astype(np.float64).mean(axis=1) / 255
    half = values.shape[1] // 2
    quadrants = [
        values[:, a, b].mean(axis=(1, 2))
        for a in (slice(half), slice(half, None))
        for b in (slice(half), slice(half, None))
    ]
    features = np.stack(quadrants, axis=1).astype(np.float32)
    bright = features.mean(axis=1)
    return features, np.stack([0.5 - bright, bright - 0.5], axis=1) * 20


YARDSTICKS = Yardsticks(
    {"classifier": [Extractor("classifier", "quadrants", "0" * 64, mean_of_quadrants)]}, {"fad_eval": "absent"}
)


def images(seed=0, n=40, channels=1):
    return np.random.default_rng(seed).random((n, channels, 8, 8)).astype(np.float32)


def values(found, quantity, part=None):
    return [
        row.value for row in found if row.quantity == quantity and part in (None, row.part) and row.status == "computed"
    ]


def test_a_critic_that_sees_what_a_person_sees_has_no_gap() -> None:
    shown = images()
    found = domain_gap(shown[None], shown, images(1), 4, YARDSTICKS)
    assert values(found, "critic_to_shown", "classifier") == pytest.approx([0] * 4, abs=1e-6)
    assert values(found, "critic_to_shown", "pixels") == [0] * 4
    assert values(found, "critic_to_data", "classifier") == values(found, "shown_to_data", "classifier") * 4
    assert [row.status for row in found if row.part == "" and row.quantity == "critic_to_shown"] == [
        "not computed: absent"
    ]


def test_spikes_and_their_mean_are_a_known_distance_apart() -> None:
    """Half of the pixels fire at each of two steps, never the same: the mean is 1/2 everywhere, half a unit away."""
    first = (images() > 0.5).astype(np.float32)
    critic = np.stack([first, 1 - first])
    found = domain_gap(critic, critic.mean(axis=0), images(1), 2, YARDSTICKS)
    assert values(found, "critic_to_shown", "pixels") == pytest.approx([0.5, 0.5], abs=0.003)
    assert values(found, "on_lattice", "critic") == [1.0]
    assert values(found, "on_lattice", "shown") == [1.0]
    assert values(found, "on_lattice", "data")[0] < 0.1
    bars = {row.position: row.value for row in found if row.quantity == "pixel_histogram" and row.part == "critic"}
    assert bars[0.0] == pytest.approx(0.5, abs=0.02) and bars[0.0] + bars[1.0] == pytest.approx(1)


def test_the_lattice_of_t_steps_is_that_of_spike_means() -> None:
    spikes = np.random.default_rng(0).integers(0, 2, (4, 10, 1, 8, 8)).astype(np.float32)
    assert lattice_share(spikes.mean(axis=0), 4) == 1.0
    assert lattice_share(spikes.mean(axis=0) + 0.05, 4) == 0.0


def test_a_shift_of_all_pixels_is_their_distance() -> None:
    dark = np.full((4, 1, 8, 8), 51 / 255, np.float32)
    assert pixel_distance(dark, dark + np.float32(102 / 255)) == pytest.approx(0.4)
    assert pixel_histogram(dark)[51] == 1.0


def test_a_still_clip_has_temporal_inconsistency_0() -> None:
    still = np.repeat(images()[None], 4, axis=0)
    found = temporal_gap(still, images(1)[None], YARDSTICKS)
    assert values(found, "temporal_inconsistency") == [0.0]
    assert values(found, "neighbour_distance", "pixels") == [0.0] * 3
    assert values(found, "neighbour_distance", "classifier") == pytest.approx([0.0] * 3, abs=1e-6)
    assert len(set(values(found, "step_to_data", "classifier"))) == 1


def test_a_clip_that_comes_nearer_to_the_data_improves_at_every_step() -> None:
    data = images()
    steps = np.stack([share * data for share in (0.25, 0.5, 0.75, 1.0)])
    found = temporal_gap(steps, data[None], YARDSTICKS)
    quality = values(found, "step_to_data", "classifier")
    assert quality == sorted(quality, reverse=True) and quality[-1] == pytest.approx(0, abs=1e-6)
    assert step_changes(steps) == pytest.approx([0.25 * data.mean()] * 3, rel=1e-5)
    assert values(found, "clip_change") == []


def test_real_clips_are_compared_step_by_step() -> None:
    clips = np.stack([images(0), images(1) / 2])
    found = temporal_gap(clips, clips, YARDSTICKS)
    assert values(found, "step_to_data", "pixels") == [0.0, 0.0]
    assert values(found, "clip_change") == values(found, "temporal_inconsistency")


def test_shares_of_old_and_new_add_up_to_one() -> None:
    shares = np.array([[1.0, 1.0], [0.25, 0.75]], np.float32)
    found = share_findings(shares)
    assert values(found, "new_share") == [1.0, 0.5]
    assert values(found, "old_share") == [0.0, 0.5]
    assert share_findings(None) == []


def test_the_same_clips_have_the_same_events() -> None:
    clips = np.zeros((30, 3, 2, 8, 8), np.float32)
    clips[:, 0, 1, 0, :6] = 1  # 6 ON events in the first frame
    clips[:, 2, 0, 0, :2] = 1  # 2 OFF events in the last
    found = compare_events(clips, clips, YARDSTICKS)
    assert values(found, "event_rate", "generated on") == [6, 0, 0]
    assert values(found, "event_rate", "real off") == [0, 0, 2]
    assert values(found, "on_share", "generated") == [0.75]
    assert values(found, "rate_ratio") == [1.0]
    assert values(found, "frame_distance", "pixels") == [0.0] * 3


def test_twice_the_events_are_seen_and_none_at_all_is_said() -> None:
    real = np.full((30, 2, 2, 8, 8), 0.5, np.float32)
    assert values(compare_events(real / 2, real, YARDSTICKS), "rate_ratio") == [0.5]
    silent = compare_events(np.zeros_like(real), real, YARDSTICKS)
    assert "not computed: no events in the generated clips" in [row.status for row in silent]


def test_a_way_between_latents_keeps_to_the_sphere() -> None:
    start, end = torch.eye(6)[:3], torch.eye(6)[3:]
    ways = interpolate(start, end, 5)
    assert torch.allclose(ways[:, 0], start, atol=1e-6) and torch.allclose(ways[:, -1], end, atol=1e-6)
    assert torch.allclose(ways.norm(dim=2), torch.ones(3, 5))


def test_a_straight_way_has_length_1_and_a_jump_is_seen() -> None:
    fade = np.linspace(0, 1, 5).reshape(1, 5, 1, 1, 1) * np.ones((1, 1, 1, 4, 4))
    lengths, jumps = path_lengths(fade.astype(np.float32))
    assert lengths == pytest.approx([1.0], rel=1e-5) and jumps == pytest.approx([1.0], rel=1e-4)
    jump = (fade > 0.5).astype(np.float32)
    assert path_lengths(jump)[1] == pytest.approx([4.0])
    assert len(path_lengths(np.zeros_like(jump))[0]) == 0


def test_copies_find_the_images_that_they_are_copies_of() -> None:
    training = images_of_array((255 * images(n=30)).astype(np.uint8), name="training")
    chosen = np.array([7, 3, 29])
    copies = training.read(chosen).reshape(3, -1) / 255
    assert nearest_indices(copies, training).tolist() == chosen.tolist()


def test_one_class_only_has_entropy_0() -> None:
    dark, bright = np.full((20, 1, 8, 8), 0.1, np.float32), np.full((20, 1, 8, 8), 0.9, np.float32)
    labels = np.repeat([0, 1], 50)
    one = class_balance(dark, labels, YARDSTICKS)
    assert values(one, "class_entropy") == [0.0] and values(one, "class_distance") == [0.5]
    both = class_balance(np.concatenate([dark, bright]), labels, YARDSTICKS)
    assert values(both, "class_entropy") == pytest.approx([1.0])
    assert values(both, "class_share", "generated") == [0.5, 0.5]
    assert class_balance(dark, None, YARDSTICKS)[0].status.startswith("not computed: the data set has no classifier")


def test_rows_are_written_as_they_are(tmp_path) -> None:
    path = tmp_path / "analyses" / "energy.csv"
    write_findings(
        path.parent, {"energy": [Finding(quantity="a", value=0.1 + 0.2, n=3), missing("b", "no spikes, none")]}
    )
    lines = path.read_text().splitlines()
    assert lines[1] == "energy,a,,,0.30000000000000004,,,3,,computed"
    assert lines[2] == 'energy,b,,,,,,,,"not computed: no spikes, none"'
    with pytest.raises(ValueError, match="is nan"):
        write_findings(path.parent, {"energy": [Finding(quantity="a", value=float("nan"))]})


def test_a_set_of_one_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 images"):
        ImageSet("shown", images(n=1))
