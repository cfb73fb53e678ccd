"""The engine against golden figures: the authors' where they lie beside the checkout, the plain definition's always."""

import copy
import json
import subprocess
import sys

import pytest

from tests.golden import main, run_case
from tests.plain.cases import make_case

GREY, EVENTS, RGB, SMALL_RGB = (1, 28, 28), (2, 28, 28), (3, 64, 64), (3, 32, 32)
FAST = {
    "sgan": dict(model_class="Generator_SNN", critic_class="Discriminator_MP", shape=GREY, objective="bce"),
    "sgan events": dict(model_class="Generator_SNN_DVS_28", critic_class="Discriminator_EM_DVS_28", shape=EVENTS),
    "swgan": dict(model_class="Generator_MP", critic_class="Discriminator_EM_MNIST", shape=GREY, steps=5),
    "swgan events": dict(model_class="Generator_MP_DVS_28", critic_class="Discriminator_EM_DVS_28", shape=EVENTS),
    "swgan 32x32": dict(model_class="Generator_MP", critic_class="Discriminator_EM_CelebA", shape=SMALL_RGB),
    "hybrid events": dict(
        model_class="Generator_MP_Scoring_DVS_28", critic_class="Discriminator_Mix_CelebA", shape=EVENTS,
        scoring_mode="AttentionScoring_1", objective="bce",
    ),
    **{
        f"sgad {mode}": dict(
            model_class="Generator_MP_Scoring_Mnist", critic_class="Discriminator_EM_MNIST", shape=GREY, scoring_mode=mode,
        )
        for mode in ("AttentionScoring_1", "AttentionScoring_2", "AttentionScoring_RGB", "ScoringNet_1", "none")
    },
}  # fmt: skip
LARGE = {
    "sgad 64x64": dict(
        model_class="Generator_MP_Scoring_CelebA", critic_class="Discriminator_EM_CelebA", shape=RGB,
        scoring_mode="AttentionScoring_RGB",
    ),
    "swgan 64x64": dict(model_class="Generator_MP_CelebA", critic_class="Discriminator_EM_CelebA", shape=RGB),
    "sgan 64x64": dict(model_class="Generator_SNN", critic_class="Discriminator_MP", shape=RGB, objective="bce"),
    "hybrid": dict(
        model_class="Generator_MP_Scoring_CelebA", critic_class="Discriminator_Mix_CelebA", shape=RGB,
        scoring_mode="AttentionScoring_RGB", objective="bce",
    ),
    "hybrid swgan": dict(
        model_class="Generator_MP_CelebA", critic_class="Discriminator_Mix_CelebA", shape=RGB, objective="bce",
    ),
}  # fmt: skip


def check(values, **how):
    line = run_case(make_case(**values), **how)
    assert line["ok"], line


@pytest.mark.parametrize("name", ["sgan", "swgan events", "sgad AttentionScoring_2", "hybrid events"])
def test_the_engine_passes_golden_files_of_the_plain_definition(name):
    check(FAST[name])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FAST)
def test_the_engine_passes_all_small_golden_files(name):
    check(FAST[name])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["sgan", "swgan", "swgan events", "sgad AttentionScoring_1", "hybrid events"])
@pytest.mark.parametrize("how", [dict(engine="torch"), dict(memory="low"), dict(engine="torch", memory="low")])
def test_every_kernel_and_recomputation_pass_them_too(name, how):
    check(FAST[name], **how)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LARGE)
def test_the_engine_passes_large_images(name):
    check(LARGE[name])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FAST)
def test_a_golden_file_with_one_time_step_passes(name):
    check({**FAST[name], "steps": 1})


def test_a_wrong_figure_is_found(tmp_path, capsys):
    case = make_case(**FAST["swgan"])
    wrong = copy.deepcopy(case)
    wrong["steps"][1]["critic_fake"][0] *= 1 + 1e-7
    right_file, wrong_file = tmp_path / "right.json", tmp_path / "wrong.json"
    right_file.write_text(json.dumps(case))
    wrong_file.write_text(json.dumps(wrong))
    assert main([str(right_file), str(wrong_file)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ok"] for line in lines] == [True, False]
    assert {"case", "max_abs", "max_rel"} <= set(lines[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        ("{", "not a readable golden file"),
        ("{}", "lacks"),
        ("[]", "lacks"),
    ],
)
def test_a_bad_file_is_refused_with_one_sentence(content, words, tmp_path, capsys):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert main([str(path)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_passes_the_authors_files(find_data, repository):
    folder = find_data("golden")
    files = sorted(str(path) for path in folder.glob("*.json"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden", *files], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(files) >= 4


def test_a_device_that_is_not_there_is_refused_with_one_sentence(capsys):
    assert main(["--device", "cuda:99", "some.json"]) == 2
    assert capsys.readouterr().err.startswith("--device cuda:99 is not on this machine")
