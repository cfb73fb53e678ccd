"""Each step against the package that defines it: resize, scaling, network; a few images, so that it is fast."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from sgad.errors import InputError
from sgad.measures.extractors import inception
from sgad.measures.extractors.features import extract
from sgad.measures.extractors.inception import (
    load_inception,
    prepare_input,
    resize_pillow_bicubic,
    resize_tf1,
)
from sgad.measures.images import images_of_array

SIZES = [(8, 8), (28, 28), (32, 48), (299, 299), (400, 310)]


@pytest.fixture(scope="module")
def network_of_torch_fidelity(small_inception):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    return FeatureExtractorInceptionV3(
        "parity", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(small_inception)
    )


@pytest.fixture(scope="module")
def few(digits):
    return digits[0][100:104]


@pytest.mark.parametrize("size", SIZES)
def test_tf1_resize_is_torch_fidelitys_bit_for_bit(random, size):
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    images = torch.from_numpy(random.integers(0, 256, (2, 3, *size), np.uint8)).float()
    theirs = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    assert torch.equal(resize_tf1(images), theirs)


@pytest.mark.parametrize("size", SIZES)
def test_clean_resize_is_clean_fids_bit_for_bit(random, size):
    from cleanfid.resize import build_resizer

    images = random.integers(0, 256, (2, 3, *size), np.uint8)
    theirs = [build_resizer("clean")(image.transpose(1, 2, 0)).transpose(2, 0, 1) for image in images]
    np.testing.assert_array_equal(resize_pillow_bicubic(images), np.stack(theirs))


@pytest.mark.parametrize("suffix", ["tf1", "torch", "clean"])
def test_grey_is_resized_once_and_shown_three_times(few, suffix):
    as_colour = prepare_input(np.repeat(few, 3, axis=1), suffix)
    torch.testing.assert_close(prepare_input(few, suffix), as_colour, atol=1e-6, rtol=1e-6)


def _in_plain_order(monkeypatch):
    """Keep the default memory layout: channels-last takes other convolutions, which round otherwise."""
    monkeypatch.setattr(inception, "LAYOUT", torch.contiguous_format)


def test_features_and_logits_are_torch_fidelitys_bit_for_bit(
    small_inception, network_of_torch_fidelity, few, monkeypatch
):
    _in_plain_order(monkeypatch)
    ours = load_inception(small_inception, "tf1").compute(few)
    with torch.no_grad():
        theirs = network_of_torch_fidelity(torch.from_numpy(np.repeat(few, 3, axis=1)))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other.numpy())


def test_features_are_pytorch_fids_bit_for_bit(small_inception, few, monkeypatch):
    from pytorch_fid import inception as theirs

    _in_plain_order(monkeypatch)
    state = torch.load(small_inception, weights_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
        network = theirs.InceptionV3([3]).eval()
    with torch.no_grad():
        (features,) = network(torch.from_numpy(np.repeat(few, 3, axis=1)).float() / 255)
    ours, _ = load_inception(small_inception, "torch").compute(few)
    np.testing.assert_array_equal(ours, features[:, :, 0, 0].numpy())


def test_channels_last_rounds_otherwise_and_changes_nothing_else(small_inception, network_of_torch_fidelity, few):
    ours = load_inception(small_inception, "tf1").compute(few)
    with torch.no_grad():
        theirs = network_of_torch_fidelity(torch.from_numpy(np.repeat(few, 3, axis=1)))
    for mine, other in zip(ours, theirs, strict=True):
        assert np.abs(mine - other.numpy()).max() < 3e-4 * other.abs().max()


def test_loading_runs_no_code_and_draws_nothing(small_inception, tmp_path):
    state = torch.random.get_rng_state()
    load_inception(small_inception, "tf1")
    load_inception(small_inception, "torch")
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.save({"a": Path("x")}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="holds more than weights"):
        load_inception(tmp_path / "a.pth", "tf1")


def test_clean_features_are_those_of_the_network_behind_clean_fids_resize(small_inception, few, monkeypatch):
    from cleanfid import inception_pytorch as theirs
    from cleanfid.resize import build_resizer

    state = torch.load(small_inception, weights_only=True)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: state)
    with warnings.catch_warnings():
        # It calls torchvision by retired names.
        warnings.simplefilter("ignore", UserWarning)
        network = theirs.InceptionV3([3], resize_input=False, normalize_input=False).eval()
    resized = np.stack([build_resizer("clean")(np.repeat(image[0][..., None], 3, 2)) for image in few])
    with torch.no_grad():
        (features,) = network((torch.from_numpy(resized.transpose(0, 3, 1, 2)) - 128) / 128)
    ours, _ = load_inception(small_inception, "clean").compute(few)
    assert np.abs(ours - features[:, :, 0, 0].numpy()).max() < 3e-4 * features.abs().max()


def test_the_protocol_names_weights_resize_and_precision(small_inception):
    extractor = load_inception(small_inception, "tf1")
    assert extractor.sha256[:8] in extractor.protocol
    assert "TF1 bilinear" in extractor.protocol
    assert "half" not in extractor.protocol
    half = load_inception(small_inception, "tf1", half=True)
    assert "half precision (bfloat16)" in half.protocol


def test_half_precision_is_close_and_not_equal(small_inception, few):
    exact, _ = load_inception(small_inception, "tf1").compute(few[:2])
    half, _ = load_inception(small_inception, "tf1", half=True).compute(few[:2])
    # A random network exaggerates: each layer doubles what rounding to 8 bits leaves.
    assert 1e-5 < np.abs(half - exact).max() / np.abs(exact).max() < 0.6


def test_colour_and_events_pass(small_inception, random):
    extractor = load_inception(small_inception, "torch")
    for channels in (2, 3):
        images = images_of_array(random.integers(0, 256, (1, channels, 16, 16), np.uint8))
        assert extract(extractor, images).values.shape == (1, 2048)


def test_another_network_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a.pth does not hold the FID Inception"):
        load_inception(tmp_path / "a.pth", "tf1")


def test_a_truncated_file_is_refused(tmp_path, small_inception):
    (tmp_path / "a.pth").write_bytes(small_inception.read_bytes()[:50_000])
    with pytest.raises(InputError, match=r"a.pth is not a readable weights file"):
        load_inception(tmp_path / "a.pth", "tf1")
