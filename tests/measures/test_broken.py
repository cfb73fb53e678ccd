"""Broken input gets one sentence that names the file and the remedy."""

import re

import numpy as np
import pytest

from sgad.errors import InputError
from sgad.measures.images import (
    require_comparable,
)
from sgad.measures.readers import open_images
from tests.measures.broken import BROKEN


def _open_and_read(path):
    images = open_images(path)
    require_comparable(images, images)
    images.content_hash()


@pytest.mark.parametrize(("sentence", "make"), BROKEN.items())
def test_broken_input_gets_a_sentence_that_names_the_file(tmp_path, random, sentence, make):
    path = make(tmp_path, random)
    with pytest.raises(InputError) as caught:
        _open_and_read(path)
    message = str(caught.value)
    assert sentence.strip() in message
    assert str(tmp_path) in message
    assert "\n" not in message
    assert re.search(r"[;(]", message), "no remedy in the sentence"


@pytest.mark.parametrize(
    ("values", "value_range", "reason"),
    [
        (np.full((4, 1, 8, 8), np.nan), "unit", "not finite"),
        (np.full((4, 1, 8, 8), np.inf), "unit", "not finite"),
        (np.full((4, 1, 8, 8), 255.0), "unit", "outside its declared range unit"),
        (np.full((4, 1, 8, 8), -1.0), "unit", "outside its declared range"),
        (np.full((4, 1, 8, 8), -2.0), "symmetric", "outside its declared range symmetric"),
        (np.full((4, 1, 8, 8), 256.0), "byte", "outside its declared range byte"),
        (np.full((4, 1, 8, 8), 0.5), "percent", "range must be one of"),
    ],
)
def test_values_outside_their_range_are_refused(tmp_path, values, value_range, reason):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=reason):
        open_images(tmp_path / "a.npy", value_range).content_hash()
