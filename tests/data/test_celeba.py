"""CelebA as the zip, the folder and the nested folder, with either list of the splits."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgad.data.description import load_description
from sgad.data.prepared import load_prepared
from sgad.data.sources.folder import decode_files
from sgad.machine.parallel import map_blocks
from tests.data.builders import jpeg_bytes, run_prepare, write_celeba

COUNTS = {"train": 3, "valid": 1, "test": 2}
#: The shipped description but for what only the real archive can have.
CELEBA = load_description("celeba").model_copy(update={"counts": COUNTS, "files": {}})


@pytest.mark.parametrize("lists", ["txt", "csv"])
@pytest.mark.parametrize("form", ["zip", "folder", "nested"])
def test_every_form_gives_the_same_images(tmp_path: Path, form: str, lists: str) -> None:
    write_celeba(tmp_path / "celeba", form, lists)
    manifest = run_prepare(CELEBA, tmp_path, tmp_path / "out")
    data = load_prepared(tmp_path / "out")
    assert manifest.counts == COUNTS
    assert manifest.flip
    assert data.manifest.reference_split == "valid"
    with Image.open(io.BytesIO(jpeg_bytes(2))) as picture:
        window = picture.convert("RGB").crop((15, 35, 163, 183)).resize((64, 64), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(data.train.images[1], np.asarray(window).transpose(2, 0, 1))


def test_the_crop_and_the_resize_are_torchvision_s(tmp_path: Path) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    (tmp_path / "1.jpg").write_bytes(jpeg_bytes(5))
    found = decode_files(tmp_path, CELEBA, ["1.jpg"])[0]
    chain = transforms.Compose([transforms.CenterCrop(148), transforms.Resize(64)])
    with Image.open(tmp_path / "1.jpg") as picture:
        np.testing.assert_array_equal(found, np.asarray(chain(picture)).transpose(2, 0, 1))


def test_a_list_without_images_of_one_split_says_so(tmp_path: Path) -> None:
    from sgad.errors import InputError

    write_celeba(tmp_path / "celeba")
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    with pytest.raises(InputError, match="no image to the test split"):
        run_prepare(CELEBA, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("workers", [1, 3])
def test_blocks_come_in_order_and_few_are_in_flight(workers: int) -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return number * number

    taken = []
    for result in map_blocks(work, range(50), workers):
        taken.append(result)
        assert len(started) - len(taken) <= 2 * workers
    assert taken == [number * number for number in range(50)]


def test_an_error_in_a_worker_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        if number == 3:
            raise ValueError("broken")
        return number

    with pytest.raises(ValueError, match="broken"):
        list(map_blocks(work, range(1000), 2))
    assert len(done) < 20
