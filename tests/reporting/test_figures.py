import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from sgad.catalogue.lookup import figure_of
from sgad.config.experiment import ExperimentConfig
from sgad.display.plotting import COLOURS, line_styles, paper_style, text_width, wrap_label
from sgad.reporting.figures.save import figure_jobs, save_figures, write_figures
from sgad.store.collect import collect
from sgad.store.stored import Stored, read_stored, rows_of, run_name


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, fake: SimpleNamespace) -> tuple[Path, ExperimentConfig]:
    """One data set collected, in a folder of its own."""
    root = tmp_path_factory.mktemp("tiny")
    experiment = fake.experiment(datasets=("digits",), seeds=(0, 1))
    fake.write(root, experiment, num_rows=12)
    collect(experiment, root / "results", root / "data")
    return root / "results", experiment


def texts_of(figure: object) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def test_every_figure_is_written_as_svg_and_png(tiny: tuple[Path, ExperimentConfig]) -> None:
    results, experiment = tiny
    names = [path.name for path in write_figures(experiment, results)]
    assert names == [f"{kind}-digits{suffix}" for kind in experiment.figures for suffix in (".svg", ".png")]


def test_the_same_data_give_the_same_bytes(tiny: tuple[Path, ExperimentConfig]) -> None:
    stored = read_stored(tiny[0], "fake")
    jobs = figure_jobs(stored, ("curves", "bars"))
    first = [path.read_bytes() for path in save_figures(stored, jobs)]
    assert [path.read_bytes() for path in save_figures(stored, jobs)] == first


def test_a_figure_without_data_is_left_out_and_an_old_one_goes(tiny: tuple[Path, ExperimentConfig]) -> None:
    stored = read_stored(tiny[0], "fake")
    (written, _) = save_figures(stored, [("curves", "digits")])
    empty = Stored(stored.folder, stored.metrics, stored.runs, stored.histories.iloc[:0], stored.captions)
    assert save_figures(empty, [("curves", "digits")]) == []
    assert not written.exists()


def test_bars_show_every_seed(stored: Stored) -> None:
    with paper_style():
        figure = figure_of("bars").draw(stored, "digits")
    assert figure is not None
    panel = figure.axes[0]
    assert panel.get_title() == "CFD ↓"
    assert [bar.get_width() for bar in panel.patches] == pytest.approx([61.0, 31.0, 21.0])
    seeds = sorted(point[0] for cloud in panel.collections for point in cloud.get_offsets())
    assert seeds == pytest.approx([20.0, 22.0, 30.0, 32.0, 60.0, 61.0, 62.0])


def test_a_run_without_samples_says_how_it_ended(stored: Stored) -> None:
    with paper_style():
        figure = figure_of("samples").draw(stored, "digits")
    assert figure is not None
    texts = texts_of(figure)
    assert {"diverged", "absent", "seed 1", "SGAD"} <= set(texts)


def test_each_layer_has_a_panel(stored: Stored) -> None:
    with paper_style():
        figure = figure_of("layers").draw(stored, "digits")
    assert figure is not None
    assert [axes.get_ylabel() for axes in figure.axes] == ["generator neurons1", "critic neurons1"]
    assert all(line.get_ydata().max() < 0.3 for axes in figure.axes for line in axes.lines)


def test_curves_have_one_line_a_run(stored: Stored) -> None:
    with paper_style():
        figure = figure_of("curves").draw(stored, "mnist")
    assert figure is not None
    # Nine runs, one of which was never trained.
    assert [len(panel.get_lines()) for panel in figure.axes] == [8, 8, 8, 8]


def test_up_to_eight_lines_differ_in_colour_and_in_dashes() -> None:
    styles = line_styles([f"m{index}" for index in range(8)])
    assert len({style["color"] for style in styles.values()}) == 8
    assert len({str(style["linestyle"]) for style in styles.values()}) == 8


@pytest.mark.parametrize("labels", [
    [f"m{index}" for index in range(30)],
    [f"SGAD (threshold={index})" for index in range(30)],
    [f"{model} ({variant})" for model in ("SGAD", "SWGAN", "SGAN") for variant in ("paper", "stable", "stable+tuned")],
])  # fmt: skip
def test_no_two_of_many_lines_look_the_same(labels: list[str]) -> None:
    styles = line_styles(labels)
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == len(labels)


def test_of_many_lines_colour_says_the_model_and_dashes_the_variant() -> None:
    labels = [f"{model} ({variant})" for model in "ABCD" for variant in ("paper", "stable", "tuned")]
    styles = line_styles(labels)
    assert [styles[f"{model} (paper)"]["color"] for model in "ABCD"] == list(COLOURS[:4])
    assert styles["A (paper)"]["color"] == styles["A (stable)"]["color"]
    assert styles["A (tuned)"]["linestyle"] == styles["D (tuned)"]["linestyle"] != styles["D (stable)"]["linestyle"]


def test_a_critic_that_runs_away_does_not_hide_the_others(stored: Stored) -> None:
    histories = stored.histories.copy()
    first = (histories["dataset"] == "mnist") & (histories["model"] == histories["model"].iloc[0])
    histories.loc[first, "score_fake"] = 80.0
    with paper_style():
        figure = figure_of("curves").draw(replace(stored, histories=histories), "mnist")
    assert figure is not None
    scales = {axes.get_ylabel(): axes.get_yscale() for axes in figure.axes}
    assert (scales["score, generated images"], scales["score, real images"]) == ("symlog", "linear")


def test_measures_far_apart_have_a_logarithmic_axis_and_no_bars(stored: Stored) -> None:
    metrics = stored.metrics.copy()
    metrics.loc[(metrics["metric"] == "cfd") & (metrics["model"] == "sgan"), "value"] = 900.0
    with paper_style():
        figure = figure_of("bars").draw(replace(stored, metrics=metrics), "digits")
    assert figure is not None
    panel = figure.axes[0]
    assert (panel.get_xscale(), len(panel.patches)) == ("log", 0)
    strokes = sorted(panel.collections[0].get_offsets()[:, 0])
    assert strokes[-1] == pytest.approx(900.0)


def test_a_short_training_shows_each_picture_once(tiny: tuple[Path, ExperimentConfig], tmp_path: Path) -> None:
    stored = read_stored(tiny[0], "fake")
    folder = shutil.copytree(stored.folder, tmp_path / "fake")
    runs = stored.runs.drop_duplicates(["model", "variant"])
    names = [run_name("digits", run.model, run.variant, run.seed) for run in rows_of(runs)]
    shutil.rmtree(folder / "grids", ignore_errors=True)
    for name, count in zip(names[:2], (6, 3), strict=True):
        (folder / "grids" / name).mkdir(parents=True)
        for step in range(1, count + 1):
            Image.new("RGB", (8, 8)).save(folder / "grids" / name / f"step-{step:06d}.webp")
    with paper_style():
        figure = figure_of("evolution").draw(replace(stored, folder=folder), "digits")
    assert figure is not None
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert titles == ["1", "2", "3", "4", "5", "6", "1", "2", "3"]


def test_titles_break_before_brackets_and_behind_plus_signs_until_they_fit() -> None:
    width = text_width(["learning_rate=0.0004+"])
    assert wrap_label("SGAD (stable)", width) == ("SGAD (stable)", 1.0)
    label = "SGAD (threshold=0.5+learning_rate=0.0004+max_steps=1500)"
    title, share = wrap_label(label, width)
    assert (title.split("\n"), share) == (["SGAD", "(threshold=0.5+", "learning_rate=0.0004+", "max_steps=1500)"], 1.0)
    assert wrap_label(label, width / 2)[1] == pytest.approx(0.5)
    assert wrap_label("x" * 40, text_width(["x" * 10])) == ("x" * 40, pytest.approx(0.25))
