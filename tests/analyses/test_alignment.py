"""Alignment with neurons whose answer is known: the same responses 1, unrelated ones 0 with p uniform."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sgad.analyses.alignment.measure import alignment, fit_stimuli
from sgad.analyses.alignment.neurons import Neurons, read_neurons, synthetic_neurons, write_neurons
from sgad.analyses.alignment.similarity import CEILINGS, MEASURES, noise_ceiling, permutation_test, rsa
from sgad.errors import InputError


def responses(seed, n=60, d=8):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.mark.parametrize("name", MEASURES)
def test_the_same_responses_have_alignment_1(name: str) -> None:
    a = responses(0)
    tested = permutation_test(MEASURES[name](a, a), 99)
    assert (tested.adjusted if name == "svcca" else tested.value) == pytest.approx(1, abs=1e-3)
    assert tested.p == 0.01


@pytest.mark.parametrize("name", MEASURES)
def test_rotation_and_scale_do_not_count(name: str) -> None:
    """All four look at the geometry of the stimuli; RSA's correlation distance takes rotations only about the mean."""
    a = responses(1)
    a -= a.mean(axis=1, keepdims=True)
    rotation = np.linalg.qr(responses(2, 8, 8))[0]
    ones = np.ones((8, 1)) / np.sqrt(8)
    basis = np.linalg.qr(np.concatenate([ones, rotation[:, 1:]], axis=1))[0]
    turn = basis @ np.diag([1, -1, 1, -1, 1, 1, -1, 1]) @ basis.T
    assert MEASURES[name](a, 3 * a @ turn).value == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("name", MEASURES)
def test_unrelated_responses_are_about_0_with_p_uniform(name: str) -> None:
    tested = [
        permutation_test(MEASURES[name](responses(3 * i + 10, 40, 30), responses(3 * i + 11, 40, 30)), 39, seed=i)
        for i in range(40)
    ]
    scores = [test.adjusted if name == "svcca" else test.value for test in tested]
    assert abs(np.mean(scores)) < 0.05
    assert stats.kstest([test.p for test in tested], "uniform").pvalue > 0.01


def test_more_neurons_than_stimuli_do_not_make_alignment() -> None:
    """Biased CKA of unrelated responses of 500 neurons to 40 stimuli is about 0.9; the unbiased is about 0."""
    pairs = [(responses(2 * seed, 40, 500), responses(2 * seed + 1, 40, 500)) for seed in range(20)]
    assert abs(np.mean([MEASURES["cka"](*pair).value for pair in pairs])) < 0.03


def test_noise_lowers_the_scores_and_the_ceiling_says_how_far() -> None:
    clean = responses(0, 80, 20)
    noise = np.random.default_rng(5).standard_normal((10, 80, 20))
    trials = clean + noise
    for name, measure in CEILINGS.items():
        ceiling = noise_ceiling(trials, measure)
        assert ceiling is not None and ceiling < 1
        reached = MEASURES[name](clean, trials.mean(axis=0)).value
        assert reached == pytest.approx(ceiling, abs=0.06), name
    assert noise_ceiling(trials[:1], rsa) is None
    assert noise_ceiling(np.repeat(clean[None], 4, axis=0), rsa) == pytest.approx(1)


def test_constant_responses_are_unrelated_to_everything() -> None:
    for name, measure in MEASURES.items():
        assert measure(np.ones((20, 5)), responses(0, 20, 5)).value == pytest.approx(0, abs=1e-9), name


def test_made_up_neurons_align_with_their_own_model_better_than_with_another() -> None:
    stimuli = np.random.default_rng(0).random((60, 28, 28)).astype(np.float32)
    neurons = synthetic_neurons(stimuli, neurons=40, repeats=4, seed=1)
    same = synthetic_neurons(stimuli, neurons=40, repeats=4, seed=1).responses
    other = responses(9, 60, 40)
    found = alignment({"same": same, "other": other}, neurons, permutations=19)
    values = {(row.quantity, row.part): row.value for row in found}
    for name in MEASURES:
        assert values[name, "same"] > 0.9 > 0.3 > values[name, "other"], name
        assert values[f"{name}_p", "same"] == 0.05
    assert all("SYNTHETIC neurons" in row.protocol for row in found)
    assert np.array_equal(neurons.trials, synthetic_neurons(stimuli, neurons=40, repeats=4, seed=1).trials)
    assert not np.array_equal(neurons.trials, synthetic_neurons(stimuli, neurons=40, repeats=4, seed=2).trials)


def test_one_repeat_has_no_ceiling_and_that_is_said() -> None:
    stimuli = np.zeros((12, 8, 8), np.float32)
    found = alignment({"a": responses(0, 12, 5)}, Neurons("x", stimuli, responses(1, 12, 5)[None]), permutations=3)
    ceilings = [row for row in found if row.quantity.endswith("_ceiling")]
    assert len(ceilings) == 3 and all(row.value is None and "one repeat" in row.status for row in ceilings)


def test_an_archive_is_read_back(tmp_path: Path) -> None:
    made = synthetic_neurons(np.random.default_rng(0).random((10, 16, 16)).astype(np.float32), neurons=6, repeats=2)
    write_neurons(tmp_path / "n.npz", made)
    read = read_neurons(tmp_path / "n.npz")
    assert read.is_synthetic and read.name == made.name
    assert np.allclose(read.trials, made.trials, atol=1e-5) and np.array_equal(read.stimuli, made.stimuli)
    np.savez(tmp_path / "mean.npz", stimuli=(255 * made.stimuli).astype(np.uint8), responses=made.responses)
    assert read_neurons(tmp_path / "mean.npz").trials.shape == (1, 10, 6)


def allen_export(folder: Path, *, table_beside: bool) -> np.ndarray:
    """An export as the SDK's, made by hand: 9 scenes shown twice in a shuffled order, grey screens between them."""
    order = [0, 3, -1, 8, 1, 2, -1, 4, 5, 6, 7, 3, 0, -1, 1, 2, 8, 6, 4, 7, 5]
    seen: dict[int, int] = {}
    table, dff = [], []
    for sweep, scene in enumerate(order):
        repeat = seen.get(scene, 0)
        seen[scene] = repeat + 1
        table.append((scene, 7 * sweep, 7 * sweep + 5))
        # Two neurons: one says the scene, one the repeat; two dark frames follow each sweep.
        dff += [[scene, 10 * scene + repeat]] * 5 + [[99, 99]] * 2
    arrays = {"dff": np.array(dff, float).T, "template": np.arange(9 * 6 * 8).reshape(9, 6, 8).astype(np.uint8)}
    if table_beside:
        with open(folder / "stimulus_table.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["", "start", "end", "frame"])
            writer.writerows([index, start, end, scene] for index, (scene, start, end) in enumerate(table))
    else:
        arrays["stimulus_table"] = np.array(table)
    np.savez(folder / "experiment_1.npz", **arrays)
    return arrays["template"]


@pytest.mark.parametrize("table_beside", [True, False])
def test_an_allen_export_is_sorted_into_repeats_without_the_grey_screen(tmp_path: Path, table_beside: bool) -> None:
    template = allen_export(tmp_path, table_beside=table_beside)
    neurons = read_neurons(tmp_path / "experiment_1.npz")
    assert neurons.trials.shape == (2, 9, 2) and not neurons.is_synthetic
    assert neurons.trials[0, :, 0].tolist() == list(range(9))
    assert (neurons.trials[1, :, 1] - neurons.trials[0, :, 1]).tolist() == [1] * 9
    assert np.allclose(neurons.stimuli, template / 255)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stimuli": None}, "it needs `stimuli`"),
        ({"responses": np.zeros((9, 3))}, "do not go with responses"),
        ({"responses": np.full((10, 3), np.nan)}, "must be finite"),
        ({"stimuli": np.zeros((10, 4, 4, 2))}, "must be"),
        ({"stimuli": np.full((10, 4, 4), 7.0)}, "uint8 or in"),
        ({"dff": np.zeros((2, 10))}, "has no `template`"),
        ({"dff": np.zeros((2, 10)), "template": np.zeros((9, 2, 2))}, "stimulus_table"),
        ({"dff": np.zeros((2, 10)), "template": np.zeros((9, 2, 2)), "stimulus_table": np.array([[0, 5, 11]])}, "does not have"),
        ({"dff": np.zeros((2, 10)), "template": np.zeros((9, 2, 2)), "stimulus_table": np.array([[9, 5, 9]])}, "does not hold"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, change: dict, sentence: str) -> None:
    content = {"stimuli": np.zeros((10, 4, 4), np.float32), "responses": np.zeros((10, 3))} | change
    np.savez(tmp_path / "n.npz", **{name: value for name, value in content.items() if value is not None})
    with pytest.raises(InputError, match=sentence):
        read_neurons(tmp_path / "n.npz")


def test_an_absent_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_neurons(tmp_path / "none.npz")
    (tmp_path / "n.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match="not a readable archive"):
        read_neurons(tmp_path / "n.npz")


def test_stimuli_are_cropped_to_the_middle_and_resized() -> None:
    wide = np.zeros((3, 10, 30), np.float32)
    wide[:, :, 10:20] = 0.5
    assert fit_stimuli(wide, (1, 28, 28)).shape == (3, 1, 28, 28)
    assert np.allclose(fit_stimuli(wide, (1, 28, 28)), 0.5)
    colour = np.stack([wide, 0 * wide, wide], axis=3)
    assert np.allclose(fit_stimuli(colour, (3, 32, 32)).mean(axis=(0, 2, 3)), [0.5, 0, 0.5])
    assert np.allclose(fit_stimuli(colour, (1, 32, 32)), 1 / 3)
