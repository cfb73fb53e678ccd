from pathlib import Path
from types import SimpleNamespace

import pytest

from sgad.config.experiment import ExperimentConfig
from sgad.reporting.collect import collect
from sgad.reporting.figures import DRAW, figure_jobs, save_figures, write_figures
from sgad.reporting.plotting import COLOURS, dashes, palette, paper_style, text_width, wrap_label
from sgad.reporting.stored import Stored, read_stored


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
        figure = DRAW["bars"](stored, "digits")
    assert figure is not None
    panel = figure.axes[0]
    assert panel.get_title() == "CFD ↓"
    assert [bar.get_width() for bar in panel.patches] == pytest.approx([61.0, 31.0, 21.0])
    seeds = sorted(point[0] for cloud in panel.collections for point in cloud.get_offsets())
    assert seeds == pytest.approx([20.0, 22.0, 30.0, 32.0, 60.0, 61.0, 62.0])


def test_a_run_without_samples_says_how_it_ended(stored: Stored) -> None:
    with paper_style():
        figure = DRAW["samples"](stored, "digits")
    assert figure is not None
    texts = texts_of(figure)
    assert {"diverged", "absent", "seed 1", "SGAD"} <= set(texts)


def test_each_layer_has_a_panel(stored: Stored) -> None:
    with paper_style():
        figure = DRAW["layers"](stored, "digits")
    assert figure is not None
    assert [axes.get_ylabel() for axes in figure.axes] == ["generator neurons1", "critic neurons1"]
    assert all(line.get_ydata().max() < 0.3 for axes in figure.axes for line in axes.lines)


def test_curves_have_one_line_a_run(stored: Stored) -> None:
    with paper_style():
        figure = DRAW["curves"](stored, "mnist")
    assert figure is not None
    # Nine runs, one of which was never trained.
    assert [len(panel.get_lines()) for panel in figure.axes] == [8, 8, 8, 8]


def test_a_user_s_ninth_model_still_gets_a_colour_and_dashes() -> None:
    keys = [f"m{index}" for index in range(9)]
    assert palette(keys)["m8"] == COLOURS[0]
    assert len({(palette(keys)[key], str(dashes(keys)[key])) for key in keys[:8]}) == 8


def test_titles_break_before_brackets_and_behind_plus_signs_until_they_fit() -> None:
    width = text_width(["learning_rate=0.0004+"])
    assert wrap_label("SGAD (stable)", width) == ("SGAD (stable)", 1.0)
    label = "SGAD (threshold=0.5+learning_rate=0.0004+max_steps=1500)"
    title, share = wrap_label(label, width)
    assert (title.split("\n"), share) == (["SGAD", "(threshold=0.5+", "learning_rate=0.0004+", "max_steps=1500)"], 1.0)
    assert wrap_label(label, width / 2)[1] == pytest.approx(0.5)
    assert wrap_label("x" * 40, text_width(["x" * 10])) == ("x" * 40, pytest.approx(0.25))
