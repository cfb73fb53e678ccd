"""What may be measured, and the sentence that anything else gets."""

import numpy as np
import pytest
from PIL import Image

from sgad.data.values import to_uint8
from sgad.errors import InputError
from sgad.measures.images import (
    as_channels,
    images_of_array,
    require_comparable,
    to_uint8_rgb,
)
from sgad.measures.readers import open_images, open_split
from tests.measures.broken import grey_images, save_folder


def _all(images):
    return np.concatenate(list(images.batches(4)))


def test_a_folder_of_grey_images(tmp_path, random):
    pixels = grey_images(random)
    images = open_images(save_folder(tmp_path / "a", pixels))
    assert images.shape == (1, 10, 12)
    np.testing.assert_array_equal(_all(images), pixels[:, None])


def test_a_folder_of_colour_images_with_subfolders_is_sorted(tmp_path, random):
    pixels = random.integers(0, 256, (4, 8, 8, 3), np.uint8)
    for name, image in zip(("b/2", "a/9", "c", "a/1"), pixels, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    images = open_images(tmp_path)
    assert images.shape == (3, 8, 8)
    np.testing.assert_array_equal(_all(images), np.moveaxis(pixels[[3, 1, 0, 2]], 3, 1))


def test_grey_and_colour_files_together_become_colour(tmp_path, random):
    save_folder(tmp_path, grey_images(random, 2, 8, 8))
    Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "z.png")
    images = open_images(tmp_path)
    assert images.shape == (3, 8, 8)
    assert len(images) == 3


@pytest.mark.parametrize("key", ["images", "samples", "anything"])
def test_an_npz_by_its_key(tmp_path, random, key):
    pixels = grey_images(random)[:, None]
    np.savez(tmp_path / "a.npz", **{key: pixels})
    np.testing.assert_array_equal(_all(open_images(tmp_path / "a.npz")), pixels)


def test_a_samples_file_of_ours_and_its_run_folder(tmp_path, random):
    pixels = grey_images(random)[:, None]
    np.savez(tmp_path / "samples.npz", images=pixels, meta=np.array("{}"), steps=np.zeros((6, 2, 1, 10, 12), np.uint8))
    np.testing.assert_array_equal(_all(open_images(tmp_path)), pixels)


def test_an_npy_and_channels_last(tmp_path, random):
    pixels = random.integers(0, 256, (5, 8, 9, 3), np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    images = open_images(tmp_path / "a.npy")
    assert images.shape == (3, 8, 9)
    np.testing.assert_array_equal(_all(images), np.moveaxis(pixels, 3, 1))


def test_tensors_are_taken(random):
    import torch

    pixels = grey_images(random)
    np.testing.assert_array_equal(_all(images_of_array(torch.from_numpy(pixels))), pixels[:, None])


@pytest.mark.parametrize(
    ("value_range", "values", "expected"),
    [
        ("unit", [0, 0.5, 1, 0.002], [0, 128, 255, 1]),
        ("symmetric", [-1, 0, 1, -0.996], [0, 128, 255, 1]),
        # Ties go to the even byte.
        ("byte", [0, 0.5, 1.5, 254.6], [0, 0, 2, 255]),
    ],
)
def test_floats_are_rounded_to_the_nearest_byte(value_range, values, expected):
    np.testing.assert_array_equal(to_uint8(np.array(values, np.float64), value_range), expected)


def test_rounding_noise_beyond_the_range_is_clipped():
    np.testing.assert_array_equal(to_uint8(np.array([-1e-6, 1 + 1e-6]), "unit"), [0, 255])


def test_grey_becomes_three_equal_channels_and_events_red_and_blue():
    grey = to_uint8_rgb(np.full((1, 1, 2, 2), 7, np.uint8))
    assert (grey == 7).all()
    assert grey.shape == (1, 3, 2, 2)
    off_only = np.zeros((1, 2, 1, 1), np.uint8)
    off_only[0, 0] = 200
    np.testing.assert_array_equal(to_uint8_rgb(off_only).ravel(), [0, 0, 200])


def test_events_are_viewed_as_still_images(random):
    clips = random.integers(0, 256, (5, 4, 2, 6, 6), np.uint8)
    images = images_of_array(clips)
    assert images.is_events
    np.testing.assert_array_equal(_all(images.viewed("mean")), np.rint(clips.mean(1, dtype=np.float32)))
    np.testing.assert_array_equal(_all(images.viewed("accumulated")), np.minimum(clips.sum(1, dtype=int), 255))
    np.testing.assert_array_equal(_all(images.viewed("frames")), clips.reshape(20, 2, 6, 6))


def test_prepared_events_are_counts_clipped_to_one(tmp_path):
    from tests.measures.conftest import write_prepared

    counts = np.zeros((3, 2, 2, 4, 4), np.float32)
    counts[:, 0, 0, 0, 0] = 3
    counts[:, 1, 1, 1, 1] = 0.5
    folder = write_prepared(tmp_path / "events", counts, counts, kind="events")
    frames = _all(open_split(folder))
    assert frames[0, 0, 0, 0, 0] == 255
    assert frames[0, 1, 1, 1, 1] == 128


def test_a_prepared_data_set_gives_its_reference_split(digits_folder):
    images = open_images(digits_folder)
    assert len(images) == 300
    assert len(open_split(digits_folder, "train")) == 1200


def test_the_content_hash_knows_pixels_order_and_shape_not_names(tmp_path, random):
    pixels = grey_images(random)
    by_array = images_of_array(pixels)
    np.save(tmp_path / "other.npy", pixels[:, None])
    folder = save_folder(tmp_path / "folder", pixels)
    assert open_images(folder).content_hash() == by_array.content_hash()
    assert open_images(tmp_path / "other.npy").content_hash() == by_array.content_hash()
    assert images_of_array(pixels[::-1]).content_hash() != by_array.content_hash()
    assert images_of_array(pixels.reshape(6, 12, 10)).content_hash() != by_array.content_hash()


def test_a_random_subset_is_seeded_and_without_replacement(random):
    images = images_of_array(np.arange(100, dtype=np.uint8).reshape(100, 1, 1))
    first = _all(images.random_subset(30, seed=1)).ravel()
    assert len(set(first)) == 30
    np.testing.assert_array_equal(first, _all(images.random_subset(30, seed=1)).ravel())
    assert set(first) != set(_all(images.random_subset(30, seed=2)).ravel())


def test_colour_files_of_grey_images_become_grey(random):
    grey = grey_images(random)
    images = as_channels(images_of_array(np.repeat(grey[:, None], 3, axis=1)), 1)
    np.testing.assert_array_equal(_all(images), grey[:, None])


def test_only_what_is_asked_for_is_read(random):
    class Watched(np.ndarray):
        read = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            if isinstance(key, np.ndarray):
                Watched.read = max(Watched.read, len(key))
            return found

    images = images_of_array(grey_images(random, 100).view(Watched))
    for _ in images.batches(8):
        pass
    assert Watched.read == 8


def test_sets_of_different_sizes_are_refused(random):
    first, second = (
        images_of_array(grey_images(random), name="a"),
        images_of_array(grey_images(random, 6, 12, 10), name="b"),
    )
    with pytest.raises(InputError, match=r"a has images of shape .* b of"):
        require_comparable(first, second)


def test_colours_against_a_grey_reference_are_refused(random):
    colour = as_channels(images_of_array(random.integers(0, 256, (4, 3, 8, 8), np.uint8)), 1)
    with pytest.raises(InputError, match="coloured images and the reference is grey"):
        _all(colour)


def test_the_wrong_number_of_channels_is_refused_for_rgb():
    with pytest.raises(InputError, match="C = 1, 2 or 3"):
        to_uint8_rgb(np.zeros((2, 4, 8, 8), np.uint8))
