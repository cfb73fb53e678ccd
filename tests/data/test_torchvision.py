"""Classes of torchvision with arguments of their own."""

from pathlib import Path
from typing import Any

import pytest

from sgad.data.sources.vision import _factory, _options
from sgad.errors import InputError
from tests.data.builders import describe, run_prepare


def options(name: str, split: str, arguments: dict[str, Any]) -> dict[str, Any]:
    description = describe("torchvision", torchvision_class=name, torchvision_arguments=arguments)
    found = _options(_factory(name), Path("here"), split, description, download=False)
    return {key: value for key, value in found.items() if key not in ("root", "download")}


@pytest.mark.parametrize(
    ("name", "arguments", "train", "test"),
    [
        ("MNIST", {}, {"train": True}, {"train": False}),
        ("SVHN", {}, {"split": "train"}, {"split": "test"}),
        ("EMNIST", {"split": "letters"}, {"split": "letters", "train": True}, {"split": "letters", "train": False}),
        (
            "Omniglot",
            {"train": {"background": True}, "test": {"background": False}},
            {"background": True},
            {"background": False},
        ),
        (
            "Places365",
            {"small": True, "train": {"split": "train-standard"}, "test": {"split": "val"}},
            {"small": True, "split": "train-standard"},
            {"small": True, "split": "val"},
        ),
    ],
)
def test_each_split_gets_its_arguments(
    name: str, arguments: dict[str, Any], train: dict[str, Any], test: dict[str, Any]
) -> None:
    assert options(name, "train", arguments) == train
    assert options(name, "test", arguments) == test


def test_an_argument_that_the_class_does_not_take_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="EMNIST takes no 'splitt', did you mean 'split'"):
        options("EMNIST", "train", {"splitt": "letters"})


def test_what_the_class_refuses_is_said_with_the_key(tmp_path: Path) -> None:
    for arguments in ({}, {"split": "letterz"}):
        with pytest.raises(
            InputError, match=r"EMNIST\(.*\) is refused \(.*\); write what it takes as `torchvision_arguments"
        ):
            run_prepare(
                describe("torchvision", torchvision_class="EMNIST", torchvision_arguments=arguments),
                tmp_path,
                tmp_path / "out",
            )
