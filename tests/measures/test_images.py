"""What may be measured, and the sentence that anything else gets."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from sgad.errors import InputError
from sgad.measures.files import open_split
from sgad.measures.images import (
    as_channels,
    images_of_array,
    open_images,
    require_comparable,
    to_uint8,
    to_uint8_rgb,
)


def _save_folder(folder, images, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index:04d}{suffix}")
    return folder


def _grey(random, n=6, height=10, width=12):
    return random.integers(0, 256, (n, height, width), np.uint8)


def _all(images):
    return np.concatenate(list(images.batches(4)))


def test_a_folder_of_grey_images(tmp_path, random):
    pixels = _grey(random)
    images = open_images(_save_folder(tmp_path / "a", pixels))
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
    _save_folder(tmp_path, _grey(random, 2, 8, 8))
    Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "z.png")
    images = open_images(tmp_path)
    assert images.shape == (3, 8, 8)
    assert len(images) == 3


@pytest.mark.parametrize("key", ["images", "samples", "anything"])
def test_an_npz_by_its_key(tmp_path, random, key):
    pixels = _grey(random)[:, None]
    np.savez(tmp_path / "a.npz", **{key: pixels})
    np.testing.assert_array_equal(_all(open_images(tmp_path / "a.npz")), pixels)


def test_a_samples_file_of_ours_and_its_run_folder(tmp_path, random):
    pixels = _grey(random)[:, None]
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

    pixels = _grey(random)
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
    pixels = _grey(random)
    by_array = images_of_array(pixels)
    np.save(tmp_path / "other.npy", pixels[:, None])
    folder = _save_folder(tmp_path / "folder", pixels)
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
    grey = _grey(random)
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

    images = images_of_array(_grey(random, 100).view(Watched))
    for _ in images.batches(8):
        pass
    assert Watched.read == 8


def _png(size=(8, 8), mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def _noisy_png(random):
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (64, 64), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _nothing_there(path, random):
    return path / "absent"


def _empty_folder(path, random):
    return path


def _folder_of_text(path, random):
    (path / "notes.txt").write_text("no images here")
    return path


def _unequal_sizes(path, random):
    (path / "a.png").write_bytes(_png((8, 8)))
    (path / "b.png").write_bytes(_png((8, 9)))
    return path


def _empty_image(path, random):
    (path / "a.png").write_bytes(_png())
    (path / "b.png").write_bytes(b"")
    return path


def _text_named_png(path, random):
    (path / "a.png").write_text("not a picture")
    return path


def _truncated_image(path, random):
    (path / "a.png").write_bytes(_noisy_png(random))
    (path / "b.png").write_bytes(_noisy_png(random)[:1500])
    return path


def _sixteen_bits(path, random):
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path / "a.png")
    return path


def _animation(path, random):
    frames = [Image.fromarray(frame) for frame in random.integers(0, 256, (3, 8, 8), np.uint8)]
    frames[0].save(path / "a.gif", save_all=True, append_images=frames[1:])
    return path


def _one_image_file(path, random):
    (path / "a.png").write_bytes(_png())
    return path / "a.png"


def _unknown_suffix(path, random):
    (path / "a.mat").write_bytes(b"MATLAB")
    return path / "a.mat"


def _npz(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return path / "a.npz"


def _npz_is_text(path, random):
    (path / "a.npz").write_text("text")
    return path / "a.npz"


def _npz_truncated(path, random):
    file = _npz(path, images=_grey(random, 50))
    file.write_bytes(file.read_bytes()[:2000])
    return file


def _npz_damaged(path, random):
    file = _npz(path, images=_grey(random, 50))
    content = bytearray(file.read_bytes())
    content[1000:1100] = bytes(100)
    file.write_bytes(bytes(content))
    return file


def _npz_pickled(path, random):
    return _npz(path, images=np.array([{"a": 1}, None], dtype=object))


def _npz_many_keys(path, random):
    return _npz(path, first=_grey(random), second=_grey(random))


def _npz_empty(path, random):
    with zipfile.ZipFile(path / "a.npz", "w"):
        pass
    return path / "a.npz"


def _npz_floats_without_range(path, random):
    return _npz(path, images=random.random((4, 1, 8, 8)))


def _npz_wrong_dimensions(path, random):
    return _npz(path, images=np.zeros((4, 64), np.uint8))


def _npz_five_channels(path, random):
    return _npz(path, images=np.zeros((4, 5, 8, 8), np.uint8))


def _npz_strings(path, random):
    return _npz(path, images=np.full((4, 8, 8), "x"))


def _npz_complex(path, random):
    return _npz(path, images=np.zeros((4, 8, 8), complex))


def _npy_is_pickle(path, random):
    (path / "a.npy").write_bytes(pickle.dumps([1, 2]))
    return path / "a.npy"


def _npy_truncated(path, random):
    np.save(path / "a.npy", _grey(random, 50))
    file = path / "a.npy"
    file.write_bytes(file.read_bytes()[:900])
    return file


def _npy_zero_bytes(path, random):
    (path / "a.npy").write_bytes(b"")
    return path / "a.npy"


def _npy_is_npz(path, random):
    np.savez(path / "a.npz", images=_grey(random))
    (path / "a.npz").rename(path / "a.npy")
    return path / "a.npy"


def _no_images_in_it(path, random):
    np.save(path / "a.npy", np.zeros((0, 1, 8, 8), np.uint8))
    return path / "a.npy"


def _one_image_in_it(path, random):
    np.save(path / "a.npy", np.zeros((1, 1, 8, 8), np.uint8))
    return path / "a.npy"


def _integers_beyond_255(path, random):
    np.save(path / "a.npy", np.full((4, 8, 8), 300))
    return path / "a.npy"


def _negative_integers(path, random):
    np.save(path / "a.npy", np.full((4, 8, 8), -1))
    return path / "a.npy"


def _split_without_images(path, random):
    (path / "manifest.json").write_text('{"reference_split": "test"}')
    return path


def _manifest_of_junk(path, random):
    (path / "manifest.json").write_text("{")
    return path


def _no_pixels(path, random):
    np.save(path / "a.npy", np.zeros((4, 1, 0, 8), np.uint8))
    return path / "a.npy"


BROKEN = {
    "does not exist": _nothing_there,
    "holds no images": _empty_folder,
    "holds no images ": _folder_of_text,
    "b.png is 8x9 pixels": _unequal_sizes,
    "b.png is not a readable image": _empty_image,
    "a.png is not a readable image": _text_named_png,
    "b.png is not a readable image ": _truncated_image,
    "pixels of type I;16": _sixteen_bits,
    "animation of 3 frames": _animation,
    "is one image; give the folder": _one_image_file,
    "neither a folder nor": _unknown_suffix,
    "a.npz is not a readable archive (empty or another format)": _npz_is_text,
    "a.npz is not a readable archive (truncated or damaged)": _npz_truncated,
    "a.npz is not a readable archive (truncated or damaged) ": _npz_damaged,
    "Python objects": _npz_pickled,
    "holds first, second": _npz_many_keys,
    "holds nothing": _npz_empty,
    "declare their range (--range)": _npz_floats_without_range,
    "has shape (4, 64)": _npz_wrong_dimensions,
    "has shape (4, 5, 8, 8)": _npz_five_channels,
    "holds <U1 values": _npz_strings,
    "holds complex128 values": _npz_complex,
    "a.npy is not a readable array (empty or another format)": _npy_is_pickle,
    "a.npy is not a readable array (truncated)": _npy_truncated,
    "a.npy is not a readable array (empty or another format) ": _npy_zero_bytes,
    "a.npy is not a readable array (empty or another format)  ": _npy_is_npz,
    "has 0 image(s)": _no_images_in_it,
    "has 1 image(s)": _one_image_in_it,
    "integers from 300 to 300": _integers_beyond_255,
    "integers from -1 to -1": _negative_integers,
    "test.images.npy does not exist": _split_without_images,
    "not a readable JSON file": _manifest_of_junk,
    "no pixels": _no_pixels,
}


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


def test_sets_of_different_sizes_are_refused(random):
    first, second = images_of_array(_grey(random), name="a"), images_of_array(_grey(random, 6, 12, 10), name="b")
    with pytest.raises(InputError, match=r"a has images of shape .* b of"):
        require_comparable(first, second)


def test_colours_against_a_grey_reference_are_refused(random):
    colour = as_channels(images_of_array(random.integers(0, 256, (4, 3, 8, 8), np.uint8)), 1)
    with pytest.raises(InputError, match="coloured images and the reference is grey"):
        _all(colour)


def test_the_wrong_number_of_channels_is_refused_for_rgb():
    with pytest.raises(InputError, match="C = 1, 2 or 3"):
        to_uint8_rgb(np.zeros((2, 4, 8, 8), np.uint8))
