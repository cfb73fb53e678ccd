"""A thousand spoilt inputs: each ends in success or in one sentence, soon, and touches nothing outside its folder.

Every test runs a few of its inputs; `make test-slow` runs all. An input is its number: the same one is made again by it.
"""

import io
import json
import random
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sgad.cli import main
from sgad.config.run import RUN_KEYS, RunConfig
from sgad.config.validation import validated
from sgad.config.yaml_files import dump_yaml
from sgad.data.prepared import load_prepared
from sgad.errors import InputError, SgadError
from sgad.measures.readers import open_images
from sgad.reporting.audit import audit
from sgad.reporting.page.report import build_page
from sgad.reporting.tables.save import write_tables
from sgad.store.collect import collect
from sgad.store.stored import read_stored
from sgad.store.summary import summarise
from sgad.training.checkpoint import FOLDER, Origin, newest_checkpoint, save_checkpoint
from sgad.training.start import load_initial_weights
from tests.experiments import fake_experiment, write_fake
from tests.hostile.mutations import spoil_bytes, spoil_cells, spoil_text
from tests.hostile.watch import nothing_touched_outside

#: Seconds for one spoilt file, on a busy machine.
PATIENCE = 15.0
ORIGIN = Origin("configuration", "data")
Attack = Callable[[random.Random, Path], None]


def command(capsys: pytest.CaptureFixture[str], *words: str) -> int:
    """Run `sgad` in this process; assert one sentence and no traceback, return the exit code."""
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    printed = capsys.readouterr()
    said = printed.out + printed.err
    code = int(stopped.value.code or 0)
    assert code in (0, 1, 2), said
    assert "Traceback" not in said and "unexpected " not in printed.err, said
    return code


def assault(attack: Attack, folder: Path, numbers: range) -> None:
    """Run an attack once for each number, in a folder of its own."""
    for number in numbers:
        place = folder / str(number)
        place.mkdir()
        begin = time.monotonic()
        try:
            with nothing_touched_outside(place):
                attack(random.Random(number), place)
        except Exception as error:
            raise AssertionError(f"input {number} of {attack.__name__}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - begin < PATIENCE, f"input {number} of {attack.__name__} took too long"
        shutil.rmtree(place)


FEW = pytest.param("few", id="few")
ALL = pytest.param("all", id="all", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])
amounts = pytest.mark.parametrize("amount", [FEW, ALL])


#: Inputs of each kind; hypothesis draws as many values of configurations again as DRAWN says.
COUNTS = {
    "configurations": 300,
    "prepared data": 150,
    "checkpoints": 150,
    "authors' checkpoints": 100,
    "samples": 150,
    "stored results": 150,
    "archives": 100,
}
DRAWN = 150


def numbers(amount: str, kind: str, few: int = 4) -> range:
    """Return the inputs of the slow test, or the first of them."""
    return range(COUNTS[kind]) if amount == "all" else range(few)


def in_one_sentence(action: Callable[[], object]) -> None:
    """Let an action succeed, or fail with one sentence for the user; anything else is an error of ours."""
    try:
        action()
    except SgadError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than a line: {error}") from error


@amounts
def test_configurations(amount: str, tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted((repository / "configs").glob("*/*.yaml"))
    authors = (
        "Network:\n  save_every: 1\n  name: SGAD\n  data_path: ./data\n  epochs: 2\n  batch_size: 8\n  lr_D: 0.1\n"
    )
    authors += "  lr_G: 0.1\n  n_steps: 4\n  dataset: MNIST\n  latent_dim: 10\n  scoring_mode: AttentionScoring_1\n"
    texts = {(path.parent.name, path.name): path.read_text() for path in files} | {("runs", "authors.yaml"): authors}

    def attack(draw: random.Random, place: Path) -> None:
        (kind, name), text = draw.choice(sorted(texts.items()))
        path = place / kind / name
        path.parent.mkdir()
        path.write_bytes(spoil_text(text, draw))
        command(capsys, "config", "check", str(path))
        assert not (Path.cwd() / "owned").exists()

    assault(attack, tmp_path, numbers(amount, "configurations", 12))


JSON = st.recursive(
    # Trainings of other tests in this process flush subnormal numbers, and hypothesis refuses to draw them then.
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(RUN_KEYS), value=JSON)
@settings(max_examples=DRAWN, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_any_value_of_any_key_is_taken_or_refused_in_one_sentence(key: str, value: object) -> None:
    def check() -> None:
        config = validated(RunConfig, {"dataset": "digits", "model": "sgad", key: value}, "here")
        assert RunConfig.model_validate_json(config.model_dump_json()).hash() == config.hash()

    in_one_sentence(check)


@amounts
def test_prepared_data(amount: str, tmp_path: Path, digits: Path) -> None:
    manifest = (digits / "manifest.json").read_text()

    def attack(draw: random.Random, place: Path) -> None:
        for path in digits.glob("*.npy"):
            (place / path.name).symlink_to(path)
        (place / "manifest.json").write_bytes(spoil_text(manifest, draw))
        if draw.random() < 0.3:
            (place / "manifest.json").write_text(manifest)
            labels = place / "test.labels.npy"
            labels.unlink()
            labels.write_bytes(spoil_bytes((digits / labels.name).read_bytes(), draw))
        in_one_sentence(lambda: load_prepared(place))

    assault(attack, tmp_path, numbers(amount, "prepared data"))


@amounts
def test_checkpoints(amount: str, tmp_path: Path) -> None:
    def attack(draw: random.Random, place: Path) -> None:
        for step in (1, 2):
            save_checkpoint(place, step, {"x": torch.full((40,), float(step))}, ORIGIN, {"seconds": 1.0}, 9)
        victim = place / FOLDER / f"step-{draw.choice((1, 2)):08d}.{draw.choice(('json', 'safetensors'))}"
        content = victim.read_bytes()
        spoilt = spoil_bytes(content, draw)
        victim.write_bytes(spoilt)
        try:
            checkpoint, notes = newest_checkpoint(place, ORIGIN)
        except SgadError as error:
            pytest.fail(f"a damaged file stopped the run instead of being passed over: {error}")
        # Whatever is resumed from is whole.
        if checkpoint is not None and victim.suffix == ".safetensors":
            assert checkpoint.tensors["x"].unique().tolist() == [float(checkpoint.step)]
        if "2" in victim.stem and victim.suffix == ".safetensors" and spoilt != content:
            assert checkpoint is not None and checkpoint.step == 1
            assert "the one before it is used" in notes[0]

    assault(attack, tmp_path, numbers(amount, "checkpoints"))


@amounts
def test_the_authors_checkpoints(amount: str, tmp_path: Path) -> None:
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    stream = io.BytesIO()
    states = {"model_state_dict_G": generator.state_dict(), "model_state_dict_D": discriminator.state_dict()}
    torch.save({"epoch": 3, **states}, stream)

    def attack(draw: random.Random, place: Path) -> None:
        path = place / draw.choice(("old.pth", "old.safetensors"))
        path.write_bytes(spoil_bytes(stream.getvalue(), draw))
        in_one_sentence(lambda: load_initial_weights(path, generator, discriminator, print))

    assault(attack, tmp_path, numbers(amount, "authors' checkpoints"))


@amounts
def test_samples(amount: str, tmp_path: Path) -> None:
    good = io.BytesIO()
    images = np.arange(4 * 28 * 28, dtype=np.int64).reshape(4, 1, 28, 28)
    np.savez(good, images=(images % 256).astype(np.uint8), meta=np.array("{}"))
    plain = io.BytesIO()
    np.save(plain, (images % 256).astype(np.uint8))
    pickled = io.BytesIO()
    np.savez(pickled, images=np.array([{"a": 1}, None], dtype=object))

    def attack(draw: random.Random, place: Path) -> None:
        suffix, content = draw.choice(((".npz", good), (".npy", plain), (".npz", pickled)))
        path = place / f"samples{suffix}"
        path.write_bytes(spoil_bytes(content.getvalue(), draw))
        in_one_sentence(lambda: len(open_images(path)))

    assault(attack, tmp_path, numbers(amount, "samples"))


@amounts
def test_stored_results(amount: str, tmp_path: Path) -> None:
    small = fake_experiment(datasets=("digits",), models=("sgan",), seeds=(0,), figures=())
    root = tmp_path / "good"
    write_fake(root, small)
    collect(small, root / "results", root / "data")

    def attack(draw: random.Random, place: Path) -> None:
        shutil.copytree(root / "results/experiments", place / "results/experiments")
        victim = draw.choice(("metrics.csv", "runs.csv", "histories.csv", "captions.json", "provenance.json"))
        path = place / "results/experiments/fake" / victim
        spoil = spoil_cells if path.suffix == ".csv" else spoil_text
        path.write_bytes(spoil(path.read_text(), draw))

        def show() -> None:
            stored = read_stored(place / "results", "fake")
            write_tables(small, place / "results")
            page = build_page(stored, summarise(stored.metrics, stored.runs))
            assert "<script>alert" not in page and "<b>x</b>" not in page

        in_one_sentence(show)
        in_one_sentence(lambda: audit(small, place / "results", place / "data", place / "logs"))

    attacks = tmp_path / "attacks"
    attacks.mkdir()
    assault(attack, attacks, numbers(amount, "stored results"))


def archive_of(names: list[str], kind: str, draw: random.Random) -> bytes:
    """Return an archive with files of these names, or links of these names to /etc/passwd."""
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(name, draw.randbytes(40))
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name in names:
                item = tarfile.TarInfo(name)
                item.type, item.linkname = draw.choice(((tarfile.REGTYPE, ""), (tarfile.SYMTYPE, "/etc/passwd")))
                item.size = 40 if item.isfile() else 0
                tar.addfile(item, io.BytesIO(draw.randbytes(40)))
    return stream.getvalue()


@amounts
def test_archives(amount: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        "a/1.png",
        "../owned.png",
        "/tmp/owned.png",
        "a/../../owned.png",
        "..\\owned.png",
        "C:\\owned.png",
        "a\0b.png",
    ]
    names += ["b/" * 200 + "deep.png", "é.png", "a/<img src=x>.png"]

    def attack(draw: random.Random, place: Path) -> None:
        kind = draw.choice(("zip", "tar.gz"))
        content = archive_of(draw.sample(names, 4), kind, draw)
        path = place / f"set.{kind}"
        path.write_bytes(spoil_bytes(content, draw) if draw.random() < 0.5 else content)
        description = {"name": "mine", "title": "mine", "source": "image-folder", "shape": [1, 28, 28]}
        (place / "mine.yaml").write_text(dump_yaml(description))
        words = ("prepare", str(place / "mine.yaml"), "--from", str(path), "--out", str(place / "out"))
        assert command(capsys, *words) != 0
        assert not (place.parent / "owned.png").exists()

    assault(attack, tmp_path, numbers(amount, "archives"))


def test_there_are_a_thousand_of_them() -> None:
    assert sum(COUNTS.values()) + DRAWN >= 1000


def test_hostile_json_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "x" * 100_000}))
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_prepared(tmp_path)
