"""The Frechet autoencoder distance, against the statistics that its authors released."""

import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sgad.errors import InputError
from sgad.measures.extractors.autoencoder import Encoder, load_own, load_published, scaled, train_autoencoder
from sgad.measures.extractors.features import extract
from sgad.measures.images import images_of_array
from sgad.measures.mathematics.frechet import frechet_distance
from sgad.measures.mathematics.moments import moments_of
from tests.measures.conftest import write_prepared


def _idx_images(path):
    content = path.read_bytes()
    _, count, height, width = struct.unpack(">4I", content[:16])
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)


@pytest.fixture
def random_encoder(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Encoder(1, 4, 64)
    save_file(network.state_dict(), tmp_path / "encoder.safetensors")
    return tmp_path / "encoder.safetensors"


@pytest.fixture
def some_images(random):
    return images_of_array(random.integers(0, 256, (520, 28, 28), np.uint8), name="some")


@pytest.mark.slow
@pytest.mark.needs_data
def test_the_real_test_split_gives_the_released_statistics(find_data):
    weights, released = find_data("fad/fashion_64.safetensors"), np.load(find_data("fad/fashion_test_64.npz"))
    raw = find_data("FashionMNIST/raw")
    published = load_published(weights, train_mode=True)
    test = moments_of(extract(published, images_of_array(_idx_images(raw / "t10k-images-idx3-ubyte"))).values)
    assert frechet_distance(test.mean, test.covariance, released["mu"], released["sigma"]) < 1e-6
    train = images_of_array(_idx_images(raw / "train-images-idx3-ubyte")).first(10_000)
    first = moments_of(extract(published, train).values)
    distance = frechet_distance(first.mean, first.covariance, released["mu"], released["sigma"])
    assert distance == pytest.approx(0.54, abs=0.005)
    evaluated = load_published(weights, train_mode=False)
    other = moments_of(
        extract(evaluated, test_images := images_of_array(_idx_images(raw / "t10k-images-idx3-ubyte"))).values
    )
    assert len(test_images) == 10_000
    # The two modes are two measures: 0.427 apart on the same images.
    found = frechet_distance(other.mean, other.covariance, released["mu"], released["sigma"])
    assert found == pytest.approx(0.427, abs=0.001)


def test_training_mode_sees_each_batch_alone(random_encoder, some_images):
    published = load_published(random_encoder, train_mode=True)
    whole = extract(published, some_images).values
    second = extract(published, some_images.subset(np.arange(256, 512))).values
    np.testing.assert_array_equal(whole[256:512], second)
    shuffled = extract(published, some_images.subset(np.arange(520)[::-1])).values[::-1]
    assert np.abs(shuffled - whole).max() > 1e-3


def test_the_batch_of_the_protocol_cannot_be_changed(random_encoder, some_images):
    published = load_published(random_encoder, train_mode=True)
    np.testing.assert_array_equal(
        extract(published, some_images, batch_size=10).values, extract(published, some_images).values
    )


def test_evaluation_mode_does_not_care_for_order_and_follows_training_mode_unharmed(random_encoder, some_images):
    evaluated = load_published(random_encoder, train_mode=False)
    before = extract(evaluated, some_images).values
    extract(load_published(random_encoder, train_mode=True), some_images)
    backwards = extract(evaluated, some_images.subset(np.arange(520)[::-1])).values[::-1]
    np.testing.assert_allclose(backwards, before, atol=1e-6)


def test_images_are_scaled_as_pillow_does():
    half = np.full((1, 1, 28, 28), 128, np.uint8)
    torch.testing.assert_close(scaled(half, 32), torch.full((1, 1, 32, 32), 128 / 255 * 2 - 1))


@pytest.mark.parametrize("depth", [4, 5])
def test_the_state_dict_tells_the_network(tmp_path, depth):
    network = Encoder(3, depth, 128)
    torch.save(
        {"state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}}, tmp_path / "a.pth"
    )
    found = load_published(tmp_path / "a.pth", train_mode=False)
    size = 2 ** (depth + 1)
    assert f"to {size}" in found.protocol
    assert found.compute(np.zeros((2, 3, 28, 28), np.uint8))[0].shape == (2, 128)


class _Runs:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_pth_that_would_run_code_is_not_loaded(tmp_path, capsys):
    torch.save({"encoder.0.0.weight": _Runs()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"evil.pth holds more than weights"):
        load_published(tmp_path / "evil.pth", train_mode=False)
    assert "this must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b""), ("a.pth", b"text"), ("a.safetensors", b"text"), ("a.pth", pickle.dumps([1, 2]))],
)
def test_a_file_that_is_no_weights_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} "):
        load_published(tmp_path / name, train_mode=False)


def test_another_network_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="does not hold the FSVAE autoencoder"):
        load_published(tmp_path / "a.safetensors", train_mode=False)


def test_the_wrong_number_of_channels_is_refused(random_encoder):
    with pytest.raises(InputError, match=r"takes images of 1 channel\(s\), got 3"):
        load_published(random_encoder, train_mode=False).compute(np.zeros((2, 3, 32, 32), np.uint8))


def test_our_own_learns_and_tells_noise_from_digits(digits_folder, tmp_path, random):
    from sgad.measures.readers import open_split

    record = train_autoencoder(digits_folder, tmp_path, epochs=2)
    assert record["loss"] < 0.2
    own = load_own(tmp_path / "autoencoder.safetensors")
    assert own.key == "fad_own"
    assert "own autoencoder" in own.protocol
    test, train = (moments_of(extract(own, open_split(digits_folder, s)).values) for s in ("test", "train"))
    noise = images_of_array(random.integers(0, 256, (300, 28, 28), np.uint8))
    other = moments_of(extract(own, noise).values)
    near = frechet_distance(train.mean, train.covariance, test.mean, test.covariance)
    far = frechet_distance(other.mean, other.covariance, test.mean, test.covariance)
    assert far > 10 * near


def test_our_own_is_the_same_for_the_same_seed(tmp_path, random):
    images = random.integers(0, 256, (120, 2, 28, 28), np.uint8)
    folder = write_prepared(tmp_path / "toy", images, images)
    state = torch.random.get_rng_state()
    hashes = [
        train_autoencoder(folder, tmp_path / name, seed=s, epochs=1)["sha256"]
        for name, s in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(state, torch.random.get_rng_state())


def test_another_file_under_a_released_name_is_refused(tmp_path):
    torch.save(Encoder(1, 4, 64).state_dict(), tmp_path / "fashion_64.pth")
    with pytest.raises(InputError, match=r"fashion_64.pth is not the released file"):
        load_published(tmp_path / "fashion_64.pth", train_mode=True)
