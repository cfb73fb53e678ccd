"""Files as people have them: turned photos, hidden files, pointers, other forms. Folders, zip and tar; prepared, measured."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from sgad.data.check import check_dataset
from sgad.data.prepared import load_prepared
from sgad.data.sources.folder import read_folder
from sgad.data.trees import hidden_part
from sgad.errors import InputError
from sgad.measures.readers import open_images
from tests.data.builders import describe, images, png_bytes, run_prepare, write_folder, write_zip

JUNK = (".DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/._1.png", "__MACOSX/a/._1.png", "@eaDir/a/1.png")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def grey(seed: int) -> bytes:
    """A small grey PNG file."""
    return png_bytes(images(1, seed=seed)[0, 0])


def picture() -> np.ndarray:
    """A 28x28 picture that no turn and no mirror maps on itself."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:10, 4:20] = 200
    return pixels


def hidden_tree(root: Path) -> Path:
    """Twelve images in two classes, and next to them what does not count."""
    for name in ("a", "b"):
        for index in range(6):
            path = root / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(grey(index))
    for junk in JUNK:
        (root / junk).parent.mkdir(parents=True, exist_ok=True)
        (root / junk).write_bytes(b"\0\5\x16\7junk")
    for place in (".ipynb_checkpoints", "a/.ipynb_checkpoints"):
        (root / place).mkdir()
        (root / place / "1-checkpoint.png").write_bytes(grey(1))
    return root


def as_form(root: Path, form: str) -> Path:
    """The tree itself, or packed."""
    files = {path.relative_to(root.parent).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    if form == "folder":
        return root
    if form == "zip":
        return write_zip(root.parent / "packed.zip", {name: path.read_bytes() for name, path in files.items()})
    target = root.parent / f"packed.{form}"
    with tarfile.open(target, "w:gz" if form.lower().endswith("gz") else "w") as archive:
        for name, path in files.items():
            archive.add(path, f"./{name}")
    return target


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz", "TAR"])
def test_hidden_files_count_nowhere(tmp_path: Path, form: str) -> None:
    place = as_form(hidden_tree(tmp_path / "raw"), form)
    data = read_folder(place, describe("image-folder"))
    assert data is not None
    assert len(data.sizes) == 12
    assert data.classes == ("a", "b")
    assert "hidden files or folders are ignored" in " ".join(data.notes)
    assert len(open_images(place)) == 12


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("a/1.png", ""),
        ("./a/1.png", ""),
        ("a/.x/1.png", "a/.x"),
        ("__MACOSX/a/._1.png", "__MACOSX"),
        ("a/THUMBS.DB", "a/THUMBS.DB"),
        ("a/b.c/1.png", ""),
    ],
)
def test_one_rule_says_what_is_hidden(name: str, part: str) -> None:
    assert hidden_part(name) == part


def save_turned(path: Path, orientation: int) -> None:
    """Save the picture as a camera would: stored so that the tag brings it upright."""
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
            7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    stored = Image.fromarray(np.concatenate([picture(), picture()], axis=1))
    stored = stored.transpose(Image.Transpose[undo[orientation]]) if orientation in undo else stored
    tags = Image.Exif()
    tags[0x0112] = orientation
    options = {"lossless": True} if path.suffix == ".webp" else {"quality": 100} if path.suffix == ".jpg" else {}
    stored.save(path, exif=tags, **options)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_read_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    raw = tmp_path / "raw"
    (raw / "a").mkdir(parents=True)
    for index in range(2):
        save_turned(raw / "a" / f"{index}.{suffix}", orientation)
    # 56 pixels wide and 28 high: a lying picture would have another size, a mirrored one other pixels.
    wanted = np.concatenate([picture(), picture()], axis=1).astype(int)
    measured = open_images(raw)
    assert measured.shape[1:] == (28, 56)
    grey = measured.read(np.arange(2))[0].astype(int).mean(axis=0)
    assert np.abs(grey - wanted).max() < 12
    run_prepare(describe("image-folder", channels=1, crop="square", test_size=1), raw, tmp_path / "out")
    prepared = load_prepared(tmp_path / "out").split("train").images[0, 0].astype(int)
    assert np.abs(prepared - wanted[:, 14:42]).max() < 12


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_tags_leave_the_picture_as_it_is_stored(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    Image.fromarray(picture()).save(
        tmp_path / "raw/class0/x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09garbage", quality=100
    )
    with open(tmp_path / "raw/class0/x.jpg", "rb") as stream:
        assert b"garbage" in stream.read()
    assert run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "out").counts == {"train": 12, "test": 1}


def test_a_phone_s_second_picture_does_not_count(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw", mode="RGB")
    shot, depth = (Image.fromarray(images(1, 3, seed=seed)[0].transpose(1, 2, 0)) for seed in (1, 2))
    shot.save(tmp_path / "raw/class0/phone.jpg", format="MPO", save_all=True, append_images=[depth])
    assert run_prepare(describe("image-folder", channels=1), tmp_path / "raw", tmp_path / "out").counts["train"] == 12
    assert len(open_images(tmp_path / "raw")) == 13


def test_a_palette_with_transparency_reads_without_warnings(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw", mode="RGB")
    coloured = Image.fromarray(images(1, 3)[0].transpose(1, 2, 0)).quantize(8)
    coloured.save(tmp_path / "raw/class0/p.png", transparency=b"\xff" * 8)
    # Warnings are errors in these tests.
    run_prepare(describe("image-folder", channels=1), tmp_path / "raw", tmp_path / "out")
    read = open_images(tmp_path / "raw")
    assert np.array_equal(read.read(np.array([6]))[0].transpose(1, 2, 0), np.asarray(coloured.convert("RGB")))


def test_a_broken_link_is_named_wherever_images_are_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    os.symlink("nowhere.png", tmp_path / "raw/class0/broken.png")
    for read in (
        lambda: open_images(tmp_path / "raw"),
        lambda: read_folder(tmp_path / "raw", describe("image-folder")),
    ):
        with pytest.raises(
            InputError, match=r"broken\.png cannot be read: it is a link to nowhere\.png, which is not there"
        ):
            read()


def pointer_image(root: Path) -> tuple[str, str]:
    write_folder(root)
    (root / "class0/0.png").write_bytes(POINTER)
    return "image-folder", "0.png"


def pointer_npz(root: Path) -> tuple[str, str]:
    (root / "tiny.npz").write_bytes(POINTER)
    return "npz", "tiny.npz"


def pointer_zip(root: Path) -> tuple[str, str]:
    (root / "set.zip").write_bytes(POINTER)
    return "image-folder", "set.zip"


def pointer_tar(root: Path) -> tuple[str, str]:
    (root / "set.tar").write_bytes(POINTER)
    return "image-folder", "set.tar"


def pointer_idx(root: Path) -> tuple[str, str]:
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (root / f"{name}-ubyte").write_bytes(POINTER)
    return "idx", "train-images-idx3-ubyte"


def pointer_cifar(root: Path) -> tuple[str, str]:
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (root / name).write_bytes(POINTER)
    return "cifar", "data_batch_1"


def pointer_list(root: Path) -> tuple[str, str]:
    (root / "list_eval_partition.txt").write_bytes(POINTER)
    (root / "000001.jpg").write_bytes(grey(1))
    return "celeba", "list_eval_partition.txt"


@pytest.mark.parametrize(
    "build", [pointer_image, pointer_npz, pointer_zip, pointer_tar, pointer_idx, pointer_cifar, pointer_list]
)
def test_a_git_lfs_pointer_is_recognised(tmp_path: Path, build: Callable[[Path], tuple[str, str]]) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    source, name = build(raw)
    description = describe(source, places=["set.zip", "set.tar"])
    with pytest.raises(InputError, match=rf"{name}.* is a Git LFS pointer.*git lfs pull"):
        run_prepare(description, raw, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.png", "a.npz", "a.npy", "a.zip"])
def test_a_git_lfs_pointer_is_recognised_where_images_are_measured(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(InputError, match=rf"{name} is a Git LFS pointer.*git lfs pull"):
        open_images(tmp_path if name == "a.png" else tmp_path / name)


def test_include_knows_no_capitals(tmp_path: Path) -> None:
    write_folder(tmp_path)
    for path in sorted(tmp_path.rglob("*.png"))[:5]:
        path.rename(path.with_suffix(".PNG"))
    (tmp_path / "class0/x.jpg").write_bytes(grey(1))
    data = read_folder(tmp_path, describe("image-folder", include="*.png"))
    assert data is not None
    assert len(data.sizes) == 12
    assert "1 other files or folders are ignored: class0/x.jpg" in data.notes
    with pytest.raises(InputError, match=r"has 13 images, none named like `include: \*.gif`"):
        read_folder(tmp_path, describe("image-folder", include="*.gif"))


@pytest.mark.parametrize(
    ("classes", "wanted"),
    [(["class1", "class0"], [1, 0]), (["class0", "class1", "class2"], [0, 1])],
)
def test_hand_written_classes_number_the_folders(tmp_path: Path, classes: list[str], wanted: list[int]) -> None:
    write_folder(tmp_path)
    data = read_folder(tmp_path, describe("image-folder", classes=classes))
    assert data is not None
    assert data.classes == tuple(classes)
    train = data.splits["train"]
    assert train.labels is not None
    first = {int(label) for label in train.labels[:3]}
    assert first == {wanted[0]}


def test_numbered_folders_take_the_names_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (0, 1, 2, 10):
        (tmp_path / str(number)).mkdir()
        for index in range(3):
            (tmp_path / str(number) / f"{index}.png").write_bytes(grey(index))
    names = ["zero", "one", "two", "ten"]
    data = read_folder(tmp_path, describe("image-folder", classes=names))
    assert data is not None
    assert data.classes == tuple(names)
    assert "classes: 0 is zero, 1 is one, 2 is two, 10 is ten" in data.notes


def test_a_misspelt_class_is_refused_with_the_nearest(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with pytest.raises(
        InputError, match=r"folder 'class1' is none of the description's `classes`.*did you mean 'clas1'"
    ):
        read_folder(tmp_path, describe("image-folder", classes=["class0", "clas1"]))


def test_a_class_named_like_a_split_is_a_class_where_there_is_no_train(tmp_path: Path) -> None:
    for name in ("test", "retest"):
        (tmp_path / name).mkdir()
        for index in range(6):
            (tmp_path / name / f"{index}.png").write_bytes(grey(index))
    data = read_folder(tmp_path, describe("image-folder"))
    assert data is not None
    assert data.classes == ("retest", "test")
    assert "test is read as a class" in data.oddities[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train-00000.parquet", "holds 1 parquet files; write each row's image"),
        ("data.arrow", "holds 1 arrow files; write each row's image"),
        ("IMG_1.HEIC", "save them as JPEG or PNG"),
        ("images.npy", "write `source: npz`"),
    ],
)
def test_other_forms_are_named_with_the_way_to_convert_them(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=words):
        read_folder(tmp_path, describe("image-folder"))


def test_what_is_ignored_has_its_name_and_lost_labels_are_odd(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    (tmp_path / "raw/metadata.csv").write_text("file_name,label\n0.png,3\n")
    (tmp_path / "raw/notes.md").write_text("hello")
    found = check_dataset(describe("image-folder"), [tmp_path / "raw"])
    text = "\n".join(map(str, found))
    assert "2 other files or folders are ignored: metadata.csv, notes.md" in text
    odd = [finding for finding in found if finding.level == "odd"]
    assert "metadata.csv may hold labels, which are not read" in odd[0].text
    assert odd[0].remedy.startswith("move the images into folders")
    assert all(finding.is_fine for finding in found)
    told: list[str] = []
    run_prepare(describe("image-folder"), tmp_path / "raw", tmp_path / "out", told.append)
    assert any("metadata.csv may hold labels" in text for text in told)


def test_an_archive_is_measured_as_its_folder_is(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "raw")
    packed = as_form(root, "zip")
    assert open_images(packed).content_hash() == open_images(root).content_hash()


def test_a_transposed_copy_is_what_pillow_makes(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "PNG", exif=tags)
    (tmp_path / "x.png").write_bytes(stream.getvalue())
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue()))))
    assert np.array_equal(open_images(tmp_path).read(np.array([0]))[0, 0], wanted)


def test_the_command_line_says_nothing_of_pillow_s(tmp_path: Path) -> None:
    write_folder(tmp_path / "raw")
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\0\x09garbage"
    Image.fromarray(picture()).save(tmp_path / "raw/class0/x.jpg", exif=damaged)
    (tmp_path / "mine.yaml").write_text("title: Mine\nsource: image-folder\nplaces: [raw]\n")
    words = [sys.executable, "-m", "sgad", "dataset", "check", "mine.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
