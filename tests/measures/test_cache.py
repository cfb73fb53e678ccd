from dataclasses import replace

import numpy as np
import pytest

from sgad.measures.extractors.cache import cache_key, load_features, store_features
from sgad.measures.extractors.features import Extractor, Features


@pytest.fixture
def extractor():
    return Extractor("toy", "toy network, evaluation mode", "a" * 64, lambda images: (images, None))


@pytest.fixture
def features(random):
    return Features(random.normal(size=(9, 4)).astype(np.float32), random.normal(size=(9, 3)).astype(np.float32))


def test_features_come_back_bit_for_bit(tmp_path, features):
    assert store_features(tmp_path, "k" * 64, features)
    found = load_features(tmp_path, "k" * 64)
    assert found is not None
    np.testing.assert_array_equal(found.values, features.values)
    np.testing.assert_array_equal(found.logits, features.logits)


def test_features_without_logits(tmp_path, features):
    store_features(tmp_path, "k" * 64, Features(features.values))
    assert load_features(tmp_path, "k" * 64).logits is None


def test_pixels_weights_and_protocol_each_make_another_key(extractor):
    keys = {
        cache_key(extractor, "p" * 64),
        cache_key(extractor, "q" * 64),
        cache_key(replace(extractor, sha256="b" * 64), "p" * 64),
        cache_key(replace(extractor, protocol="toy network, training mode"), "p" * 64),
    }
    assert len(keys) == 4


def test_the_name_of_a_network_is_not_in_the_key(extractor):
    assert cache_key(extractor, "p") == cache_key(replace(extractor, key="other"), "p")


@pytest.mark.parametrize("damage", ["empty", "cut", "bytes", "text"])
def test_a_damaged_entry_is_as_good_as_none(tmp_path, features, damage):
    store_features(tmp_path, "k" * 64, features)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    broken = {"empty": b"", "cut": content[:200], "text": b"hello", "bytes": content[:150] + b"\0\0\0" + content[153:]}
    file.write_bytes(broken[damage])
    assert load_features(tmp_path, "k" * 64) is None


def test_an_entry_renamed_to_another_key_is_not_taken(tmp_path, features):
    store_features(tmp_path, "k" * 64, features)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f"{'l' * 40}.npz")
    assert load_features(tmp_path, "l" * 64) is None


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, features):
    (tmp_path / "file").write_text("in the way")
    assert not store_features(tmp_path / "file", "k" * 64, features)
