import json

import numpy as np
import pytest
import torch

from sgad.errors import InputError
from sgad.machine.files import sha256_of
from sgad.measures.extractors.classifier import load_classifiers, train_classifiers
from sgad.measures.extractors.features import extract
from sgad.measures.readers import open_split
from tests.measures.conftest import write_prepared


def _toy(random, shape, classes=3, n=60):
    """Return images whose class is their brightness, with noise."""
    labels = np.arange(n) % classes
    levels = (labels * 200 // (classes - 1) + 20).reshape(-1, *[1] * len(shape))
    return np.clip(levels + random.integers(-20, 20, (n, *shape)), 0, 255).astype(np.uint8), labels.astype(np.int64)


def _toy_folder(path, random, shape):
    images, labels = _toy(random, shape)
    return write_prepared(path, images, images, labels, labels)


def test_digits_are_recognised(trained_digits):
    record = json.loads((trained_digits / "classifier" / "classifier.json").read_text())
    assert len(record["accuracy"]) == 3
    assert min(record["accuracy"]) > 0.8
    assert record["test_n"] == 300


def test_features_have_mean_square_one_and_logits_come_along(trained_digits):
    train = open_split(trained_digits, "train")
    for extractor in load_classifiers(trained_digits / "classifier"):
        features = extract(extractor, train)
        assert features.values.shape == (1200, 64)
        assert features.logits.shape == (1200, 10)
        assert np.mean(features.values.astype(np.float64) ** 2) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_every_shape_of_the_design(tmp_path, random, shape):
    folder = _toy_folder(tmp_path / "toy", random, shape)
    record = train_classifiers(folder, folder / "classifier", seeds=(5,))
    assert record["shape"] == list(shape)
    (extractor,) = load_classifiers(folder / "classifier")
    assert extract(extractor, open_split(folder)).values.shape == (60, 64)


def test_events_are_averaged_over_time_and_the_protocol_says_so(tmp_path, random):
    images, labels = _toy(random, (2, 28, 28))
    clips = np.repeat(images[:, None] / np.float32(255), 3, axis=1)
    folder = write_prepared(tmp_path / "events", clips, clips, labels, labels, kind="events")
    train_classifiers(folder, folder / "classifier", seeds=(0,))
    (extractor,) = load_classifiers(folder / "classifier")
    assert "mean over time" in extractor.protocol


def test_equal_seeds_give_equal_files_and_leave_the_global_state_alone(tmp_path, random):
    folder = _toy_folder(tmp_path / "toy", random, (1, 28, 28))
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = train_classifiers(folder, tmp_path / "a", seeds=(0, 1))
    np.random.default_rng(3)
    torch.rand(5)
    second = train_classifiers(folder, tmp_path / "b", seeds=(0, 1))
    assert first["sha256"] == second["sha256"]
    assert first["sha256"][0] != first["sha256"][1]
    torch.manual_seed(1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_batch_size_does_not_matter(trained_digits):
    extractor = load_classifiers(trained_digits / "classifier")[0]
    test = open_split(trained_digits)
    one, other = extract(extractor, test, batch_size=300), extract(extractor, test, batch_size=7)
    np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_without_labels_there_is_an_autoencoder_and_a_word(tmp_path, random):
    images, _ = _toy(random, (1, 28, 28))
    folder = write_prepared(tmp_path / "faces", images, images)
    record = train_classifiers(folder, folder / "classifier", epochs=1)
    assert record["status"].startswith("not trained: ")
    assert record["accuracy"] == []
    assert record["autoencoder"]["sha256"] == sha256_of(folder / "classifier" / "autoencoder.safetensors")
    with pytest.raises(InputError, match="holds no classifiers: not trained"):
        load_classifiers(folder / "classifier")


def test_a_changed_file_is_not_loaded(tmp_path, random):
    folder = _toy_folder(tmp_path / "toy", random, (1, 28, 28))
    train_classifiers(folder, folder / "classifier", seeds=(0,))
    file = folder / "classifier" / "classifier0.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match="is not the file that"):
        load_classifiers(folder / "classifier")


def test_a_single_class_is_refused(tmp_path, random):
    images, labels = _toy(random, (1, 28, 28))
    folder = write_prepared(tmp_path / "one", images, images, labels * 0, labels * 0)
    with pytest.raises(InputError, match="a single class"):
        train_classifiers(folder, folder / "classifier")


def test_labels_must_be_as_many_as_images(tmp_path, random):
    images, labels = _toy(random, (1, 28, 28))
    folder = write_prepared(tmp_path / "one", images, images, labels[:-1], labels)
    with pytest.raises(InputError, match=r"train.labels.npy has shape \(59,\) for 60 images"):
        train_classifiers(folder, folder / "classifier")
