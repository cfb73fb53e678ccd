"""What can be handed in as images and is none: one maker each, by a phrase of the sentence that it gets."""

import io
import pickle
import zipfile

import numpy as np
from PIL import Image


def save_folder(folder, images, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index:04d}{suffix}")
    return folder


def grey_images(random, n=6, height=10, width=12):
    return random.integers(0, 256, (n, height, width), np.uint8)


def png(size=(8, 8), mode="L"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def noisy_png(random):
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (64, 64), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def nothing_there(path, random):
    return path / "absent"


def empty_folder(path, random):
    return path


def folder_of_text(path, random):
    (path / "notes.txt").write_text("no images here")
    return path


def unequal_sizes(path, random):
    (path / "a.png").write_bytes(png((8, 8)))
    (path / "b.png").write_bytes(png((8, 9)))
    return path


def empty_image(path, random):
    (path / "a.png").write_bytes(png())
    (path / "b.png").write_bytes(b"")
    return path


def text_named_png(path, random):
    (path / "a.png").write_text("not a picture")
    return path


def truncated_image(path, random):
    (path / "a.png").write_bytes(noisy_png(random))
    (path / "b.png").write_bytes(noisy_png(random)[:1500])
    return path


def sixteen_bits(path, random):
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path / "a.png")
    return path


def animation(path, random):
    frames = [Image.fromarray(frame) for frame in random.integers(0, 256, (3, 8, 8), np.uint8)]
    frames[0].save(path / "a.gif", save_all=True, append_images=frames[1:])
    return path


def one_image_file(path, random):
    (path / "a.png").write_bytes(png())
    return path / "a.png"


def unknown_suffix(path, random):
    (path / "a.mat").write_bytes(b"MATLAB")
    return path / "a.mat"


def npz(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return path / "a.npz"


def npz_is_text(path, random):
    (path / "a.npz").write_text("text")
    return path / "a.npz"


def npz_truncated(path, random):
    file = npz(path, images=grey_images(random, 50))
    file.write_bytes(file.read_bytes()[:2000])
    return file


def npz_damaged(path, random):
    file = npz(path, images=grey_images(random, 50))
    content = bytearray(file.read_bytes())
    content[1000:1100] = bytes(100)
    file.write_bytes(bytes(content))
    return file


def npz_pickled(path, random):
    return npz(path, images=np.array([{"a": 1}, None], dtype=object))


def npz_many_keys(path, random):
    return npz(path, first=grey_images(random), second=grey_images(random))


def npz_empty(path, random):
    with zipfile.ZipFile(path / "a.npz", "w"):
        pass
    return path / "a.npz"


def npz_floats_without_range(path, random):
    return npz(path, images=random.random((4, 1, 8, 8)))


def npz_wrong_dimensions(path, random):
    return npz(path, images=np.zeros((4, 64), np.uint8))


def npz_five_channels(path, random):
    return npz(path, images=np.zeros((4, 5, 8, 8), np.uint8))


def npz_strings(path, random):
    return npz(path, images=np.full((4, 8, 8), "x"))


def npz_complex(path, random):
    return npz(path, images=np.zeros((4, 8, 8), complex))


def npy_is_pickle(path, random):
    (path / "a.npy").write_bytes(pickle.dumps([1, 2]))
    return path / "a.npy"


def npy_truncated(path, random):
    np.save(path / "a.npy", grey_images(random, 50))
    file = path / "a.npy"
    file.write_bytes(file.read_bytes()[:900])
    return file


def npy_zero_bytes(path, random):
    (path / "a.npy").write_bytes(b"")
    return path / "a.npy"


def npy_is_npz(path, random):
    np.savez(path / "a.npz", images=grey_images(random))
    (path / "a.npz").rename(path / "a.npy")
    return path / "a.npy"


def no_images_in_it(path, random):
    np.save(path / "a.npy", np.zeros((0, 1, 8, 8), np.uint8))
    return path / "a.npy"


def one_image_in_it(path, random):
    np.save(path / "a.npy", np.zeros((1, 1, 8, 8), np.uint8))
    return path / "a.npy"


def integers_beyond_255(path, random):
    np.save(path / "a.npy", np.full((4, 8, 8), 300))
    return path / "a.npy"


def negative_integers(path, random):
    np.save(path / "a.npy", np.full((4, 8, 8), -1))
    return path / "a.npy"


def split_without_images(path, random):
    (path / "manifest.json").write_text('{"reference_split": "test"}')
    return path


def manifest_of_junk(path, random):
    (path / "manifest.json").write_text("{")
    return path


def no_pixels(path, random):
    np.save(path / "a.npy", np.zeros((4, 1, 0, 8), np.uint8))
    return path / "a.npy"


BROKEN = {
    "does not exist": nothing_there,
    "holds no images": empty_folder,
    "holds no images ": folder_of_text,
    "b.png is 8x9 pixels": unequal_sizes,
    "b.png is an empty file": empty_image,
    "a.png is not an image": text_named_png,
    "b.png is damaged or cut off": truncated_image,
    "pixels of type I;16": sixteen_bits,
    "animated or has pages (3 pictures)": animation,
    "is one image; give the folder": one_image_file,
    "neither a folder nor": unknown_suffix,
    "a.npz is not a readable archive (empty or another format)": npz_is_text,
    "a.npz is not a readable archive (truncated or damaged)": npz_truncated,
    "a.npz is not a readable archive (truncated or damaged) ": npz_damaged,
    "Python objects": npz_pickled,
    "holds first, second": npz_many_keys,
    "holds nothing": npz_empty,
    "declare their range (--range)": npz_floats_without_range,
    "has shape (4, 64)": npz_wrong_dimensions,
    "has shape (4, 5, 8, 8)": npz_five_channels,
    "holds <U1 values": npz_strings,
    "holds complex128 values": npz_complex,
    "a.npy is not a readable array (empty or another format)": npy_is_pickle,
    "a.npy is not a readable array (truncated)": npy_truncated,
    "a.npy is not a readable array (empty or another format) ": npy_zero_bytes,
    "a.npy is not a readable array (empty or another format)  ": npy_is_npz,
    "has 0 image(s)": no_images_in_it,
    "has 1 image(s)": one_image_in_it,
    "integers from 300 to 300": integers_beyond_255,
    "integers from -1 to -1": negative_integers,
    "test.images.npy does not exist": split_without_images,
    "not a readable JSON file": manifest_of_junk,
    "no pixels": no_pixels,
}
