"""Strict YAML."""

from pathlib import Path

import pytest

from sgad.config.yaml_files import parse_value, parse_yaml, read_yaml
from sgad.errors import InputError


def test_numbers_with_exponents_are_numbers() -> None:
    assert parse_yaml("a: 2e-4\nb: 1.5E3\nc: 2.0e-4\n", "text") == {"a": 2e-4, "b": 1500.0, "c": 2e-4}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "a: {b: 1, b: 2}\n",
        "- 1\n- 2\n",
        "a: [1\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "? [1, 2]\n: 3\n",
        "",
        "a: &x [*x]\nb: *y\n",
    ],
)
def test_broken_text_gets_one_sentence(text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_yaml(text, "file.yaml")
    assert str(error.value).startswith("file.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["2024-13-45", "[" * 5000, "{"])
def test_what_is_no_value_stays_text(text: str) -> None:
    assert parse_value(text) == text


def test_unreadable_files_get_one_sentence(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "absent.yaml", tmp_path, binary):
        with pytest.raises(InputError, match=str(path)):
            read_yaml(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seeds: [0, 010]\n", "010 is read as 8 in YAML; write 10 for the number, '010' for text"),
        ("seed: 007\n", "007 is read as 7 in YAML; write 7 for the number, '007' for text"),
        ("epochs: 1:30\n", "1:30 is read as 90 in YAML; write '1:30' for text"),
    ],
)
def test_numbers_that_yaml_reads_otherwise_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        parse_yaml(text, "file.yaml")
    assert words in str(error.value)


def test_plain_numbers_and_the_command_line_are_as_they_were() -> None:
    assert parse_yaml("a: 0\nb: -10\nc: 1_000\nd: 0x10\ne: '010'\n", "file.yaml") == {
        "a": 0, "b": -10, "c": 1000, "d": 16, "e": "010",
    }  # fmt: skip
    # As `--seed 010` does; the field that takes it makes 10 of it.
    assert parse_value("010") == "010"
