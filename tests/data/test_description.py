"""Descriptions: what ships is right, and what is wrong is said."""

from pathlib import Path

import pytest

from sgad.config.paths import available
from sgad.data.description import FAMILIES, load_description, remedy, require_family
from sgad.errors import InputError
from tests.data.builders import describe

SHIPPED = ("celeba", "cifar10", "digits", "faces", "fashion_mnist", "mnist", "nmnist", "nmnist_sim")


def test_the_shipped_descriptions_are_the_promised_ones() -> None:
    assert set(SHIPPED) <= set(available("datasets"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_description_names_shape_licence_citation_and_origin(name: str) -> None:
    description = load_description(name)
    assert description.shape in FAMILIES
    assert description.licence
    assert description.citation
    assert description.origin


@pytest.mark.parametrize("name", ["faces", "digits", "nmnist_sim"])
def test_a_substitute_says_so_in_every_caption(name: str) -> None:
    description = load_description(name)
    assert description.substitute_for in SHIPPED
    assert description.caption_note


def test_simulated_data_is_marked() -> None:
    assert load_description("nmnist_sim").simulated
    assert "simulated" in load_description("nmnist_sim").caption_note


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_a_description_of_one_s_own_needs_two_lines(tmp_path: Path) -> None:
    description = load_description(write(tmp_path, "title: Mine\nsource: image-folder\n"))
    assert (description.name, description.kind, description.flip) == ("mine", "images", False)


def test_places_may_lie_beside_the_file(tmp_path: Path) -> None:
    description = load_description(write(tmp_path, "title: Mine\nsource: npz\nplaces: [mine.npz]\n"))
    assert str(tmp_path / "mine.npz") in description.places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: M\nsource: image-folder\nresise: 28\n", ["resise", "did you mean 'resize'"]),
        ("title: M\nsource: image_folder\n", ["source", "image-folder"]),
        ("title: M\nsource: npz\ntitle: N\n", ["title", "twice"]),
        ("source: npz\n", ["title", "missing"]),
        ("title: M\nsource: npz\nshape: [1, 30, 30]\n", ["1x30x30", "1x28x28", "resize"]),
        ("title: M\nsource: npz\nshape: [1, 28, 28]\nresize: 32\n", ["resize 32", "disagree"]),
        ("title: M\nsource: npz\nshape: [1, 28, 28]\nchannels: 3\n", ["channels 3", "disagree"]),
        ("title: M\nsource: torchvision\n", ["torchvision_class"]),
        ("title: M\nsource: torchvision\ntorchvision_class: os.system\n", ["torchvision_class", "class"]),
        ("title: M\nsource: events\n", ["time_bins"]),
        ("title: M\nsource: simulated-events\ntime_bins: 4\nbase: mnist\n", ["simulated: true"]),
        ("title: M\nsource: npz\ncounts: {train: 5}\n", ["counts", "test"]),
        ("title: M\nsource: npz\ntest_size: 1.5\n", ["test_size"]),
        ("title: M\nsource: npz\ncrop: 0\n", ["crop"]),
        ("title: M\nsource: npz\nname: other\n", ["other", "mine.yaml"]),
        ("title: M\nsource: npz\nfiles: {a.npz: {md5: abc}}\n", ["md5"]),
        ("title: M\nsource: npz\ndownloads: [{to: ../a, urls: [u], md5: d32c9cbf5e040fd4025c592c306e6668}]\n", ["to"]),
        ("title: M\nsource: npz\nresize_filter: bilinaer\n", ["resize_filter", "bilinear"]),
        ("- a\n- b\n", ["mine.yaml"]),
        ("title: [\n", ["mine.yaml", "YAML"]),
    ],
)  # fmt: skip
def test_a_wrong_description_gets_one_sentence_with_the_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_description(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in ["mine.yaml", *words]:
        assert word in message


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="fashion_mnist"):
        load_description("fashion_mnits")


def test_the_hash_ignores_where_files_lie_and_sees_what_is_done_to_them() -> None:
    plain = describe("npz")
    assert plain.hash() == describe("npz", places=["a"], manual="b").hash()
    assert plain.hash() != describe("npz", resize=28).hash()


def test_every_shape_of_a_family_is_accepted_and_others_offer_resize() -> None:
    assert [require_family(shape) for shape in FAMILIES] == list(FAMILIES.values())
    for shape, sides in (((3, 48, 48), "resize: 32` or `resize: 64"), ((1, 30, 30), "resize: 28")):
        with pytest.raises(ValueError, match=sides):
            require_family(shape)


def test_the_remedy_names_the_command_and_the_way_by_hand() -> None:
    assert "sgad prepare mnist --download" in remedy(load_description("mnist"))
    assert "garrickorchard.com" in remedy(load_description("nmnist"))
    assert "--from" in remedy(describe("npz"))


def test_keys_that_came_later_leave_the_hash_of_older_descriptions_alone() -> None:
    # As released before `range`, `torchvision_arguments` and `sensor` were there.
    assert describe("npz").hash() == "c42fdb65adab82f2"
    assert describe("npz", range="symmetric").hash() != describe("npz").hash()
    assert describe("events", time_bins=4, sensor=128).hash() != describe("events", time_bins=4).hash()


@pytest.mark.parametrize(
    ("source", "values", "words"),
    [
        ("idx", {"range": "unit"}, "range is known to the sources npz, image-folder"),
        (
            "npz",
            {"torchvision_arguments": {"split": "letters"}},
            "torchvision_arguments are known to source torchvision",
        ),
        ("torchvision", {"torchvision_class": "EMNIST", "torchvision_arguments": {"root": "/"}}, "--download"),
        ("npz", {"sensor": 128}, "sensor is known to source events"),
    ],
)
def test_a_key_of_another_source_is_refused(source: str, values: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        describe(source, **values)
