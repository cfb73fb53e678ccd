"""Broken data sets, each with the words that its one sentence must hold."""

import io
import pickle
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sgad.data.events.format import encode_events
from tests.data.builders import (
    MD5_NAMES,
    idx_bytes,
    images,
    png_bytes,
    recording,
    write_celeba,
    write_cifar,
    write_folder,
    write_idx,
    write_recordings,
    write_zip,
)

HTML = b"<!DOCTYPE html><html><body>Too many users have viewed this file recently</body></html>"
Case = tuple[str, dict[str, Any], Callable[[Path], Any], list[str]]


def change(folder: Path, name: str, edit: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(edit((folder / name).read_bytes()))


def idx(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        write_idx(root)
        change(root, name, edit)

    return build


def idx_without(root: Path) -> None:
    write_idx(root)
    (root / MD5_NAMES[3]).unlink()


def idx_gz_cut(root: Path) -> None:
    write_idx(root, zipped=True)
    change(root, f"{MD5_NAMES[0]}.gz", lambda content: content[:-200])


def idx_gz_not_gzip(root: Path) -> None:
    write_idx(root, zipped=True)
    (root / f"{MD5_NAMES[0]}.gz").write_bytes(b"plain text" * 50)


def folder(edit: Callable[[Path], Any]) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        write_folder(root)
        edit(root / "class0")

    return build


def save(name: str, mode: str) -> Callable[[Path], None]:
    def edit(place: Path) -> None:
        Image.new(mode, (28, 28)).save(place / name)

    return edit


def animated(place: Path) -> None:
    frames = [Image.fromarray(images(1, seed=seed)[0, 0]) for seed in (1, 2)]
    frames[0].save(place / "moving.gif", save_all=True, append_images=frames[1:])


def transparent(place: Path) -> None:
    Image.new("RGBA", (28, 28), (255, 0, 0, 90)).save(place / "glass.png")


def huge(place: Path) -> None:
    # A header alone: 50,000 x 50,000 pixels.
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, format="BMP")
    content = bytearray(stream.getvalue())
    content[18:26] = struct.pack("<ii", 50_000, 50_000)
    (place / "huge.bmp").write_bytes(bytes(content))


def loop(place: Path) -> None:
    (place / "again").symlink_to(place.parent, target_is_directory=True)


def dangling(place: Path) -> None:
    (place / "gone.png").symlink_to(place / "nowhere.png")


def self_link(place: Path) -> None:
    (place / "me.png").symlink_to(place / "me.png")


def zip_of(files: dict[str, bytes], edit: Callable[[Path], Any] = lambda path: None) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        edit(write_zip(root / "set.zip", files))

    return build


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(content))


def zip_link(root: Path) -> None:
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")


def zip_bomb(root: Path) -> None:
    write_zip(root / "set.zip", {"a/zeros.png": bytes(80 * 2**20)})


def tar_escape(root: Path) -> None:
    with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as archive:
        item = tarfile.TarInfo("../../data_batch_1")
        item.size = 4
        archive.addfile(item, io.BytesIO(b"evil"))


def npz(**arrays: Any) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        np.savez(root / "tiny.npz", **arrays)

    return build


def nan_images() -> np.ndarray:
    array = images(4) / 255
    array[2, 0, 3, 3] = np.nan
    return array


def html(name: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        (root / name).write_bytes(HTML)

    return build


class Evil:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("touch /tmp/sgad-was-here",)


def cifar(name: str, content: bytes, form: str = "python") -> Callable[[Path], None]:
    def build(root: Path) -> None:
        write_cifar(root, form)
        (root / name).write_bytes(content)

    return build


def celeba(edit: Callable[[Path], Any], form: str = "folder") -> Callable[[Path], None]:
    def build(root: Path) -> None:
        write_celeba(root, form)
        edit(root)

    return build


def events(content: bytes) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        write_recordings(root)
        (root / "Train" / "0" / "00001.bin").write_bytes(content)

    return build


def moved(**parts: Any) -> bytes:
    sample = recording()
    return encode_events(sample._replace(**{key: edit(getattr(sample, key)) for key, edit in parts.items()}))


def outside(x: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(x)) == 7, 40, x)


BIN = ["00001.bin"]
PICTURES = {
    "a/0.png": png_bytes(images()[0, 0]),
    "a/1.png": png_bytes(images()[1, 0]),
    "b/2.png": png_bytes(images()[2, 0]),
}
T4 = {"time_bins": 4}
CASES: dict[str, Case] = {
    "idx: cut off": ("idx", {}, idx(MD5_NAMES[0], lambda c: c[:-9]), [MD5_NAMES[0], "cut off"]),
    "idx: bytes left over": ("idx", {}, idx(MD5_NAMES[2], lambda c: c + b"\0"), [MD5_NAMES[2], "left over"]),
    "idx: wrong magic": ("idx", {}, idx(MD5_NAMES[0], lambda c: b"\0\0\x0d\3" + c[4:]), ["00000d03", "00000803"]),
    "idx: labels for images": ("idx", {}, idx(MD5_NAMES[0], lambda c: idx_bytes(np.arange(12))), [MD5_NAMES[0]]),
    "idx: header only": ("idx", {}, idx(MD5_NAMES[0], lambda c: c[:6]), ["less than the header"]),
    "idx: empty file": ("idx", {}, idx(MD5_NAMES[1], lambda c: b""), [MD5_NAMES[1], "cut off"]),
    "idx: no images": ("idx", {}, idx(MD5_NAMES[0], lambda c: idx_bytes(np.empty((0, 28, 28)))), ["no images"]),
    "idx: counts differ": ("idx", {}, idx(MD5_NAMES[1], lambda c: idx_bytes(np.arange(11) % 10)), ["11 labels", "12"]),
    "idx: label out of range": ("idx", {"classes": ["a", "b"]}, write_idx, [MD5_NAMES[1], "0 to 1"]),
    "idx: a file is missing": ("idx", {}, idx_without, [MD5_NAMES[3], "lacks"]),
    "idx: web page": ("idx", {}, idx(MD5_NAMES[0], lambda c: HTML), [MD5_NAMES[0], "web page"]),
    "idx: wrong size": ("idx", {"files": {MD5_NAMES[0]: {"size": 99}}}, write_idx, [MD5_NAMES[0], "99 expected"]),
    "idx: wrong checksum": ("idx", {"files": {MD5_NAMES[0]: {"md5": "0" * 32}}}, write_idx, [MD5_NAMES[0], "MD5"]),
    "idx: gzip cut off": ("idx", {}, idx_gz_cut, [MD5_NAMES[0], "cut off"]),
    "idx: not gzip": ("idx", {}, idx_gz_not_gzip, [MD5_NAMES[0], "not a gzip"]),
    "idx: images of another size": ("idx", {"shape": [3, 32, 32]}, write_idx, ["3x28x28", "3x32x32", "resize: 32"]),
    "folder: empty": ("image-folder", {}, lambda root: None, ["tiny", "no files found"]),
    "folder: mixed sizes": (
        "image-folder",
        {},
        folder(lambda p: Image.new("L", (30, 28)).save(p / "z.png")),
        ["z.png", "resize"],
    ),
    "folder: grey and colour": (
        "image-folder",
        {},
        folder(lambda p: Image.new("RGB", (28, 28)).save(p / "z.png")),
        ["z.png", "channels"],
    ),
    "folder: CMYK": ("image-folder", {}, folder(save("z.jpg", "CMYK")), ["z.jpg", "CMYK"]),
    "folder: 16 bits": ("image-folder", {}, folder(save("z.png", "I;16")), ["z.png", "16"]),
    "folder: animated": ("image-folder", {}, folder(animated), ["moving.gif", "2 pictures"]),
    "folder: transparent": ("image-folder", {}, folder(transparent), ["glass.png", "transparent"]),
    "folder: empty file": ("image-folder", {}, folder(lambda p: (p / "z.png").touch()), ["z.png", "empty file"]),
    "folder: cut off": ("image-folder", {}, folder(lambda p: cut_in_half(p / "0.png")), ["0.png", "cut off"]),
    "folder: web page": ("image-folder", {}, folder(lambda p: (p / "z.png").write_bytes(HTML)), ["z.png", "web page"]),
    "folder: far too large": ("image-folder", {}, folder(huge), ["huge.bmp", "limit"]),
    "folder: link loop": ("image-folder", {}, folder(loop), ["again", "loop"]),
    "folder: dangling link": ("image-folder", {}, folder(dangling), ["gone.png", "cannot be read"]),
    "folder: link to itself": ("image-folder", {}, folder(self_link), ["me.png", "cannot be read"]),
    "folder: one image": ("image-folder", {}, lambda root: write_folder(root, 1), ["1 samples", "test_size"]),
    "folder: no train": ("image-folder", {}, lambda root: write_folder(root / "test"), ["no folder train"]),
    "folder: image outside of the splits": (
        "image-folder",
        {},
        lambda root: (write_folder(root / "train"), write_folder(root, 1)),
        ["class0/0.png", "outside"],
    ),
    "folder: no network fits": (
        "image-folder",
        {},
        lambda root: write_folder(root, side=30),
        ["1x30x30", "1x28x28", "resize: 28"],
    ),
    "folder: not square": (
        "image-folder",
        {"resize": 28},
        folder(lambda p: Image.new("L", (30, 28)).save(p / "z.png")),
        ["z.png", "crop: square"],
    ),
    "folder: crop too large": ("image-folder", {"crop": 90}, write_folder, ["smaller than `crop: 90`"]),
    "zip: web page": ("image-folder", {}, html("set.zip"), ["set.zip", "web page"]),
    "zip: cut off": ("image-folder", {}, zip_of(PICTURES, cut_in_half), ["set.zip", "not a whole zip"]),
    "zip: damaged inside": (
        "image-folder",
        {},
        zip_of({"a/0.png": png_bytes(images(1, side=200)[0, 0]), **PICTURES}, lambda p: flip_middle(p)),
        ["set.zip"],
    ),
    "zip: leads out": ("image-folder", {}, zip_of({"../../evil.png": b"x"}), ["set.zip", "../../evil.png"]),
    "zip: absolute": ("image-folder", {}, zip_of({"/etc/evil.png": b"x"}), ["set.zip", "/etc/evil.png"]),
    "zip: link": ("image-folder", {}, zip_link, ["set.zip", "link"]),
    "zip: bomb": ("image-folder", {}, zip_bomb, ["set.zip", "bomb"]),
    "tar: leads out": ("cifar", {}, tar_escape, ["cifar-10-python.tar.gz", "leads out"]),
    "npz: pickled objects": ("npz", {}, npz(images=np.array([{}, 1], dtype=object)), ["tiny.npz", "pickled objects"]),
    "npz: cut off": (
        "npz",
        {},
        lambda root: (npz(images=images())(root), cut_in_half(root / "tiny.npz")),
        ["tiny.npz", "not a whole"],
    ),
    "npz: wrong dtype": ("npz", {}, npz(images=images().astype(np.complex64)), ["tiny.npz", "complex64", "uint8"]),
    "npz: wrong shape": ("npz", {}, npz(images=images()[0, 0]), ["tiny.npz", "(28, 28)"]),
    "npz: two channels": ("npz", {"layout": "NCHW"}, npz(images=images(6, 2)), ["tiny.npz", "2 channels"]),
    "npz: unclear axes": ("npz", {}, npz(images=images(6, 3, 3)), ["tiny.npz", "layout"]),
    "npz: NaN": ("npz", {}, npz(images=nan_images()), ["tiny.npz", "NaN"]),
    "npz: out of range": ("npz", {}, npz(images=images() / 1.0), ["tiny.npz", "0 to 1"]),
    "npz: no images": ("npz", {}, npz(pictures=images()), ["tiny.npz", "pictures"]),
    "npz: empty": ("npz", {}, npz(images=images(0)), ["tiny.npz", "empty"]),
    "npz: labels too few": ("npz", {}, npz(images=images(6), labels=np.arange(5)), ["5 labels", "6"]),
    "npz: labels not whole": ("npz", {}, npz(images=images(6), labels=np.ones(6) / 2), ["labels", "float64"]),
    "npz: splits differ": ("npz", {}, npz(x_train=images(6), x_test=images(3, 3, 32)), ["test", "(3, 32, 32)"]),
    "npz: several": (
        "npz",
        {},
        lambda root: [np.savez(root / name, images=images()) for name in ("a", "b")],
        ["a.npz", "b.npz"],
    ),
    "npz: web page": ("npz", {}, html("tiny.npz"), ["tiny.npz", "web page"]),
    "cifar: runs code": ("cifar", {}, cifar("data_batch_3", pickle.dumps(Evil())), ["data_batch_3", "could run code"]),
    "cifar: pickle cut off": ("cifar", {}, cifar("data_batch_3", b"\x80\x02}q\0("), ["data_batch_3", "pickle"]),
    "cifar: other pickle": ("cifar", {}, cifar("test_batch", pickle.dumps([1, 2])), ["test_batch", "`data`"]),
    "cifar: cut off": ("cifar-binary", {}, cifar("test_batch.bin", bytes(3000), "binary"), ["test_batch.bin", "3073"]),
    "cifar: wrong PNG": (
        "cifar-png",
        {},
        cifar("test_batch.png", png_bytes(images(1)[0, 0]), "png"),
        ["test_batch.png"],
    ),
    "cifar: labels not JSON": (
        "cifar-png",
        {},
        cifar("test_lables.json", b"[1, 2", "png"),
        ["test_lables.json", "JSON"],
    ),
    "celeba: no list": (
        "celeba",
        {},
        celeba(lambda root: (root / "list_eval_partition.txt").unlink()),
        ["list_eval_partition.txt"],
    ),
    "celeba: list is a web page": (
        "celeba",
        {},
        celeba(lambda root: html("list_eval_partition.txt")(root)),
        ["list_eval_partition.txt", "web page"],
    ),
    "celeba: list is garbled": (
        "celeba",
        {},
        celeba(lambda root: (root / "list_eval_partition.txt").write_text("000001.jpg 7\n")),
        ["line 1"],
    ),
    "celeba: an image is missing": (
        "celeba",
        {},
        celeba(lambda root: (root / "img_align_celeba/000003.jpg").unlink()),
        ["000003.jpg", "lacks 1 of the 6"],
    ),
    "celeba: quota page": (
        "celeba",
        {},
        celeba(lambda root: html("img_align_celeba.zip")(root), "zip"),
        ["img_align_celeba.zip", "web page"],
    ),
    "celeba: zip in a zip": (
        "celeba",
        {},
        lambda root: write_zip(
            root / "celeba.zip", {"img_align_celeba.zip": b"x", "list_eval_partition.txt": b"000001.jpg 0\n"}
        ),
        ["zip inside a zip"],
    ),
    "celeba: no images": (
        "celeba",
        {},
        lambda root: (root / "list_eval_partition.txt").write_text("000001.jpg 0\n"),
        ["img_align_celeba.zip"],
    ),
    "celeba: wrong archive": (
        "celeba",
        {"files": {"img_align_celeba.zip": {"md5": "0" * 32}}},
        celeba(lambda root: None, "zip"),
        ["img_align_celeba.zip", "MD5"],
    ),
    "events: tail": ("events", T4, events(moved() + b"1234"), [*BIN, "4 bytes after"]),
    "events: out of order": ("events", T4, events(moved(t=lambda t: t[::-1])), [*BIN, "order of time"]),
    "events: outside": ("events", T4, events(moved(x=outside)), [*BIN, "x 40", "34x34"]),
    "events: empty file": ("events", T4, events(b""), [*BIN, "empty"]),
    "events: only overflows": ("events", T4, events(bytes([0, 240, 0, 0, 0])), [*BIN, "no events"]),
    "events: no Test": ("events", T4, lambda root: write_recordings(root, test=0), ["lacks Test"]),
    "events: Train alone": (
        "events",
        T4,
        lambda root: write_zip(root / "Train.zip", {"Train/0/1.bin": moved()}),
        ["Test.zip"],
    ),
    "events: quota page": (
        "events",
        T4,
        lambda root: (write_recordings(root, form="tonic"), html("test.zip")(root)),
        ["test.zip", "web page"],
    ),
    "events: loose file": (
        "events",
        T4,
        lambda root: (write_recordings(root), (root / "Train" / "9.bin").write_bytes(moved())),
        ["9.bin", "class"],
    ),
    "events: no class": ("events", {**T4, "classes": ["0"]}, write_recordings, ["no class"]),
    "simulated: colour": (
        "simulated-events",
        {**T4, "base": "faces", "simulated": True},
        lambda root: [Image.new("L", (92, 112)).save(root / f"{n}.pgm") for n in range(400)],
        ["grey 28x28"],
    ),
}
