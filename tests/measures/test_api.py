"""Measures from Python: arrays, tensors, folders; batches; torchmetrics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sgad.catalogue.networks import PIXELS
from sgad.cli import measuring
from sgad.errors import InputError
from sgad.measures import StreamedMeasures, measure
from sgad.measures.extractors import networks
from sgad.measures.extractors.networks import SHIPPED
from sgad.measures.extractors.shipped import FOLDER


@pytest.fixture(scope="module")
def sets(digits):
    return digits[0][:60], digits[0][60:120]


def test_arrays_tensors_folders_and_floats_are_one(sets, tmp_path):
    fake, real = sets
    for index, image in enumerate(fake):
        (tmp_path / "fake").mkdir(exist_ok=True)
        Image.fromarray(image[0]).save(tmp_path / "fake" / f"{index:03d}.png")
    expected = measure(fake, real)
    assert {"kid_pixels", "precision_pixels", "recall_pixels", "density_pixels", "coverage_pixels"} < set(expected)
    assert 0.5 < float(expected["nearest_pixels"]) < 2
    for other in (torch.from_numpy(fake), tmp_path / "fake", str(tmp_path / "fake")):
        assert dict(measure(other, real)) == dict(expected)
    unit = fake.astype(np.float32) / 255
    assert measure(unit, real, value_range="unit")["kid_pixels"].value == expected["kid_pixels"].value


def test_copies_of_the_reference_have_distance_nothing(sets):
    _, real = sets
    found = measure(real, real, ["nearest", "kid"])
    assert found["nearest_pixels"].value == 0
    assert found["kid_pixels"].value < 0  # unbiased, so below zero for equal sets


def test_what_is_shipped_is_named():
    assert tuple(sorted({path.stem.rpartition("-")[0] for path in FOLDER.glob("*.safetensors")})) == SHIPPED


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_shipped_classifiers_are_used_by_name(name, random):
    channels = 3 if name == "cifar10" else 1
    real, fake = random.integers(0, 256, (2, 20, channels, 32, 32), np.uint8)
    found = measure(fake, real, ["cfd", "ccs", "kid"], extractor=name)
    assert found["cfd"].value > 0
    assert found["kid_classifier"].status == "computed"


def test_what_has_no_value_is_no_number(sets):
    found = measure(*sets, ["fad_eval"])
    with pytest.raises(ValueError, match="fad_eval has no value: not computed: weights absent"):
        float(found["fad_eval"])


@pytest.mark.parametrize("extractor", ["pixels", "mnist"])
def test_batches_give_what_one_call_gives(sets, extractor):
    fake, real = sets
    streamed = StreamedMeasures(["kid", "prc"], extractor=extractor)
    for start in range(0, 60, 25):
        streamed.update(fake[start : start + 25], real=False)
        streamed.update(torch.from_numpy(real[start : start + 25]), real=True)
    whole = measure(fake, real, ["kid", "prc"], extractor=extractor)
    assert streamed.compute() == pytest.approx({key: row.value for key, row in whole.items()}, rel=1e-5)
    streamed.reset()
    with pytest.raises(ValueError, match="no images yet"):
        streamed.compute()


@pytest.mark.parametrize(
    ("measures", "extractor", "message"),
    [
        (["kid", "cfd"], "pixels", "cannot be streamed together"),
        (["fid"], "inception", "weights absent"),
        (["fad_fsvae"], "fad", "fad_fsvae depends on batches of a fixed size"),
        (["kid"], "nothing.pth", "nothing.pth does not exist"),
    ],
)
def test_what_cannot_be_streamed_is_refused(measures, extractor, message, monkeypatch):
    monkeypatch.setattr(networks, "find_inception_weights", lambda path: path)
    fixed = networks.pixel_features()
    monkeypatch.setattr(networks, "_fsvae", lambda *_: replace(fixed, fixed_batch=256))
    with pytest.raises(InputError, match=message):
        StreamedMeasures(measures, extractor=extractor)


def test_torchmetrics_agrees(sets):
    pytest.importorskip("torchmetrics")
    from sgad.measures.torchmetrics import ImageMeasures

    fake, real = sets
    metric = ImageMeasures(["ccs", "cfd"], extractor="mnist")
    for start in range(0, 60, 20):
        metric.update(torch.from_numpy(fake[start : start + 20]), real=False)
        metric.update(torch.from_numpy(real[start : start + 20]), real=True)
    whole = measure(fake, real, ["ccs", "cfd"], extractor="mnist")
    values = {key: value.item() for key, value in metric.compute().items()}
    assert values == pytest.approx({key: row.value for key, row in whole.items()}, rel=1e-5)
    metric.reset()
    assert metric.fake0 == []


def test_the_command_line_names_the_same_extractors():
    assert (measuring.PIXELS, measuring.SHIPPED) == (PIXELS, SHIPPED)
