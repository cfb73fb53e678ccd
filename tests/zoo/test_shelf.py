"""The user's zoo: names, hashes, addresses, copies that were damaged on their way."""

import json
import shutil
from pathlib import Path

import pytest

import sgad
from sgad.cli import main
from sgad.config.yaml_files import dump_yaml, read_yaml
from sgad.errors import InputError, RunFailure
from sgad.zoo.manifest import MANIFEST, require_whole, write_manifest
from sgad.zoo.shelf import add_model, address_of, entries, get_model


@pytest.fixture
def packed(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A packed model somewhere, and an empty zoo of the user's."""
    monkeypatch.setenv("SGAD_ZOO", str(tmp_path / "shelf"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "somewhere" / "my-digits"
    shutil.copytree(repository / "zoo" / "digits-sgad", folder)
    write_manifest(folder)
    return folder


def test_the_shipped_models_are_whole_and_small(repository: Path) -> None:
    folders = sorted(path.parent for path in (repository / "zoo").glob("*/generator.safetensors"))
    assert [folder.name for folder in folders] == ["digits-sgad", "fashion_mnist-sgad"]
    for folder in folders:
        require_whole(folder)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 5e6


def test_a_model_is_added_listed_and_loaded_by_name(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert add_model(packed) == Path("shelf").resolve() / "my-digits"
    assert add_model(packed) == add_model(packed), "the same model again is no mistake"
    found = {entry.name: entry for entry in entries()}
    assert {"my-digits", "digits-sgad", "fashion_mnist-sgad"} <= set(found)
    assert found["my-digits"].sha256 == found["digits-sgad"].sha256
    with pytest.raises(SystemExit):
        main(["zoo", "list"])
    assert f"{found['my-digits'].sha256[:12]}" in capsys.readouterr().out
    assert sgad.load("my-digits").shape == (1, 28, 28)


def test_a_model_is_got_from_an_address(packed: Path) -> None:
    folder = get_model(packed.as_uri(), "mine")
    require_whole(folder)
    assert folder.name == "mine" and not any((folder.parent / ".parts").iterdir())


def test_what_was_cut_off_is_got_again(packed: Path) -> None:
    whole = (packed / "generator.safetensors").read_bytes()
    (packed / "generator.safetensors").write_bytes(whole[:-9])
    with pytest.raises(RunFailure, match=r"generator\.safetensors"):
        get_model(packed.as_uri())
    assert "my-digits" not in {entry.name for entry in entries()}
    (packed / "generator.safetensors").write_bytes(whole)
    require_whole(get_model(packed.as_uri()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"../escape": {"size": 1, "sha256": ""}}, "no file of a packed model"),
        ({"config.yaml": {"size": 1}}, "has no size or sha256"),
        ({"run.json": {"size": 3, "sha256": ""}}, "bytes instead of 3"),
    ],
)
def test_a_manifest_that_lies_is_refused(packed: Path, change: dict[str, object], sentence: str) -> None:
    content = json.loads((packed / MANIFEST).read_text())
    content["files"] |= change
    (packed / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        add_model(packed)


def test_another_model_of_the_same_name_stays(packed: Path) -> None:
    kept = add_model(packed)
    before = (kept / "generator.safetensors").read_bytes()
    (packed / "generator.safetensors").write_bytes(before + b" ")
    write_manifest(packed)
    with pytest.raises(InputError, match="another model of that name"):
        add_model(packed)
    assert (kept / "generator.safetensors").read_bytes() == before


def test_code_is_not_brought_along(packed: Path) -> None:
    config = read_yaml(packed / "config.yaml") | {"generator": "os:system"}
    (packed / "config.yaml").write_text(dump_yaml(config))
    write_manifest(packed)
    with pytest.raises(InputError, match="code that is not part of sgad"):
        add_model(packed)


def test_addresses_of_the_hub() -> None:
    assert address_of("hf:someone/digits") == "https://huggingface.co/someone/digits/resolve/main"
    assert address_of("hf:someone/digits@v1").endswith("/resolve/v1")
    for wrong in ("hf:digits", "digits", "ftp://x"):
        with pytest.raises(InputError):
            address_of(wrong)
