"""`sgad measure` as it is typed: two folders, what is printed, and broken input."""

import json

import numpy as np
import pytest
from PIL import Image

from sgad.cli import main
from tests.measures.broken import BROKEN
from tests.measures.conftest import write_prepared


def _run(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main(["measure", *map(str, words)])
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


@pytest.fixture
def folders(tmp_path, digits):
    """Return two folders of 30 PNG files each."""
    for name, images in (("a", digits[0][:30]), ("b", digits[0][30:60])):
        (tmp_path / name).mkdir()
        for index, image in enumerate(images):
            Image.fromarray(image[0, 2:30, 2:30]).save(tmp_path / name / f"{index:03d}.png")
    return tmp_path / "a", tmp_path / "b"


def test_two_folders_of_png_files(folders, trained_digits, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = ["--samples", folders[0], "--reference", folders[1], "--measures", "cfd,fid,fad,prdc", "--threads", 1]
    weights = trained_digits / "classifier"
    code, out, _ = _run(capsys, *words, "--weights", weights, "--out", tmp_path / "m.json")
    assert code == 0
    rows = {row["metric"]: row for row in json.loads((tmp_path / "m.json").read_text())["metrics"]}
    assert rows["cfd"]["value"] > 0
    assert rows["fid_inception_clean"]["status"] == "not computed: weights absent"
    lines = out.splitlines()
    assert lines[0].startswith("cfd ")
    assert "small classifier" in lines[0] and "n=30 generated, 30 reference" in lines[0]
    assert any("not computed: weights absent" in line for line in lines)
    # Each remedy once, however many rows it fixes.
    assert out.count("sgad doctor --download-weights") == 1


def test_floats_take_the_range_that_is_declared(tmp_path, digits, trained_digits, capsys):
    np.save(tmp_path / "a.npy", digits[0][:40].astype(np.float32) / 127.5 - 1)
    words = [
        "--samples",
        tmp_path / "a.npy",
        "--reference",
        tmp_path / "a.npy",
        "--weights",
        trained_digits / "classifier",
    ]
    words += ["--measures", "cfd", "--out", tmp_path / "m.json", "--threads", 1]
    assert _run(capsys, *words, "--range", "symmetric")[0] == 0
    code, _, err = _run(capsys, *words, "--range", "unit")
    assert code == 2
    assert "outside its declared range unit (0..1)" in err


@pytest.mark.parametrize("make", BROKEN.values(), ids=lambda make: make.__name__.strip("_"))
@pytest.mark.parametrize("side", ["samples", "reference"])
def test_broken_input_is_one_sentence_and_exit_2(folders, tmp_path, random, capsys, make, side):
    (tmp_path / "broken").mkdir()
    paths = {"samples": folders[0], "reference": folders[1]} | {side: make(tmp_path / "broken", random)}
    words = [word for name, path in paths.items() for word in (f"--{name}", path)]
    code, out, err = _run(capsys, *words, "--measures", "kid_classifier", "--out", tmp_path / "m.json", "--threads", 1)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("sgad: ")
    assert "broken" in err
    assert not out
    assert not (tmp_path / "m.json").exists()


def test_an_absent_device_is_named(folders, capsys, tmp_path):
    words = ["--samples", folders[0], "--reference", folders[1], "--device", "cuda:99", "--out", tmp_path / "m.json"]
    code, _, err = _run(capsys, *words)
    assert code == 2
    assert "--device cuda:99 is not on this machine" in err


def test_the_autoencoder_can_be_trained_alone(tmp_path, digits, capsys):
    write_prepared(tmp_path / "few", digits[0][:100], digits[0][100:200])
    with pytest.raises(SystemExit) as stopped:
        main(["classifier", "few", "--data", str(tmp_path), "--autoencoder", "--no-classifiers", "--threads", "1"])
    assert not stopped.value.code
    assert "few: autoencoder, mean squared error" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "few" / "classifier").iterdir()] == ["autoencoder.safetensors"]


def test_nothing_to_train_is_said(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["classifier", "digits", "--no-classifiers"])
    assert stopped.value.code == 2
    assert "leaves nothing to train; add --autoencoder" in capsys.readouterr().err


def test_two_folders_need_no_weights(folders, tmp_path, capsys):
    words = ["--samples", folders[0], "--reference", folders[1], "--out", tmp_path / "m.json", "--threads", 1]
    code, out, _ = _run(capsys, *words)
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == [f"{name}_pixels" for name in ("kid", "precision", "recall", "density", "coverage", "nearest")]
    code, out, err = _run(capsys, *words, "--extractor", "mnist", "--measures", "cfd")
    assert code == 0 and out.startswith("cfd ")
    assert "warning: cfd: 30 images for 64 features" in err


def test_a_command_that_computed_nothing_exits_1(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    words = ["--samples", folders[0], "--reference", folders[1], "--measures", "fid,fad_eval"]
    words += ["--out", tmp_path / "m.json", "--threads", 1]
    code, out, err = _run(capsys, *words)
    assert code == 1
    assert "nothing was computed" in err and "weights absent" in out
    assert (tmp_path / "m.json").is_file()
    assert _run(capsys, *words, "--allow-empty")[0] == 0


def test_no_remedy_leads_back_to_itself(folders, tmp_path, capsys):
    words = ["--samples", folders[0], "--reference", folders[1], "--measures", "cfd", "--out", tmp_path / "m.json"]
    _, out, _ = _run(capsys, *words, "--threads", 1)
    assert (
        "--extractor cifar10, digits, faces, fashion_mnist, mnist, nmnist_sim or pixels, which need no file of yours"
        in out
    )
