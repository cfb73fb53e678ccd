import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from sgad.catalogue.metrics import metric_info
from sgad.config.experiment import ExperimentConfig
from sgad.display.formats import ABSENT, Cell, Column, Table, to_csv, to_latex, to_markdown
from sgad.errors import InputError
from sgad.reporting.tables.comparisons import comparisons_csv, comparisons_tables
from sgad.reporting.tables.results import comparability, results_table, spread_text
from sgad.reporting.tables.save import write_tables
from sgad.store.collect import collect
from sgad.store.comparisons import compare
from sgad.store.reported import REPORTED_LABELS, read_reported, reported_for
from sgad.store.stored import Stored, read_stored
from sgad.store.summary import summarise


def table_of(stored: Stored, dataset: str) -> Table:
    return results_table(summarise(stored.metrics, stored.runs), stored.runs, stored.captions, dataset)


def block(table: Table, name: str) -> dict[str, list[Cell]]:
    return {row[0].text: list(row) for row in dict(table.blocks)[name]}


def test_cells_are_mean_spread_and_number_of_seeds() -> None:
    assert spread_text(12.345, 0.5, 3, metric_info("cfd")) == "12.35 ± 0.50 (n = 3)"
    assert spread_text(12.345, float("nan"), 1, metric_info("cfd")) == "12.35 (n = 1)"
    assert spread_text(float("nan"), float("nan"), 0, metric_info("cfd")) == ABSENT


def test_best_mean_is_bold_in_the_right_direction(stored: Stored) -> None:
    more = [stored.metrics.assign(seed=stored.metrics["seed"] + shift) for shift in (0, 10)]
    rows = block(table_of(replace(stored, metrics=pd.concat(more)), "digits"), "reproduced here")
    # Columns: model, variant, family, T, cfd (lower is better), ccs (higher), recall, runs.
    assert [rows["SGAD"][column].is_best for column in (4, 5, 6)] == [True, True, True]
    assert not any(cell.is_best for cell in rows["SGAN"] + rows["SWGAN"])
    # Two of three seeds are too few.
    assert not any(
        cell.is_best for row in block(table_of(stored, "digits"), "reproduced here").values() for cell in row
    )


def test_comparisons_have_intervals_and_words_and_stop_at_too_few_seeds(stored: Stored) -> None:
    (digits, mnist) = comparisons_tables(compare(stored.metrics), stored.captions)
    assert (digits.key, mnist.key) == ("comparisons-digits", "comparisons-mnist")
    ((heading, rows),) = digits.blocks
    assert heading == "models, quick" and {row[-1].text for row in rows} == {"too few seeds"}
    more = pd.concat([stored.metrics.assign(seed=stored.metrics["seed"] + shift) for shift in (0, 10)])
    found = compare(more)
    rows = comparisons_tables(found, stored.captions)[0].blocks[0][1]
    by_pair = {(row[0].text, row[1].text, row[2].text): row for row in rows}
    row = by_pair["CFD", "SGAN", "SGAD"]
    assert (row[3].text, row[-1].text) == ("6, 4", "worse")
    assert re.fullmatch(r"\+[\d.]+ to \+[\d.]+", row[5].text)
    lines = list(csv.DictReader(io.StringIO(comparisons_csv(found))))
    assert len(lines) == len(found) and {line["verdict"] for line in lines} <= {"better", "worse", "not told apart"}


def test_failed_and_missing_runs_are_counted(stored: Stored) -> None:
    rows = block(table_of(stored, "digits"), "reproduced here")
    assert rows["SGAN"][-1].text == "3"
    assert rows["SWGAN"][-1].text == "2 of 3 (1 diverged)"
    assert rows["SGAD"][-1].text == "2 of 3 (1 absent)"


def test_reported_figures_never_share_a_column_with_ours(stored: Stored) -> None:
    table = table_of(stored, "mnist")
    groups = [column.group for column in table.columns]
    for name, rows in table.blocks:
        for row in rows:
            filled = {group for group, cell in zip(groups, row, strict=True) if group and cell.text != ABSENT}
            # Only a model of ours may have both: its own value, and what others reported for it, beside.
            allowed = {"reported by others": {"reported"}, "for scale": {"reproduced"}}.get(name)
            assert allowed is None or filled <= allowed
    # Figures of the paper's recipe at T = 16 are about no run of `quick` at T = 4, and about those of the same only.
    assert block(table, "reproduced here")["SGAD"][groups.index("reported")].text == ABSENT
    for changes, text in (({}, "69.64"), ({"time_steps": 4}, ABSENT), ({"family": "ann"}, ABSENT)):
        metrics = stored.metrics.assign(variant="paper", time_steps=16).assign(**changes)
        paper = replace(stored, metrics=metrics, runs=stored.runs.assign(variant="paper"))
        assert block(table_of(paper, "mnist"), "reproduced here")["SGAD"][groups.index("reported")].text == text
    assert "other people's" in table.caption
    assert "citing the SGAD paper" in table.caption


def test_a_stand_in_gets_no_reported_figures_and_is_named(stored: Stored) -> None:
    table = table_of(stored, "digits")
    assert "reported" not in {column.group for column in table.columns}
    assert "not MNIST" in table.title
    assert "not MNIST" in table.caption
    assert "Fake numbers & no recipe" in table.caption


def test_captions_say_protocol_images_and_endings(stored: Stored, fake: SimpleNamespace) -> None:
    caption = table_of(stored, "digits").caption
    assert fake.protocol in caption
    assert "1,000 images a run" in caption
    assert "9 runs over 3 seeds: 7 completed, 1 diverged, 1 absent" in caption


def test_a_baseline_by_another_protocol_is_marked(stored: Stored) -> None:
    metrics = stored.metrics.copy()
    is_noise = (metrics["model"] == "noise") & (metrics["metric"] == "cfd") & (metrics["dataset"] == "digits")
    metrics.loc[is_noise, "protocol"] = "classifier; 360 images"
    table = results_table(summarise(metrics, stored.runs), stored.runs, stored.captions, "digits")
    rows = block(table, "for scale")
    assert rows["uniform noise (ceiling)"][4].text == "300.00†"
    assert rows["real training images (floor)"][4].text == "0.50"
    assert "† by another protocol – uniform noise (ceiling): CFD by classifier; 360 images" in table.caption


def test_two_protocols_stop_the_tables(results: Path, experiment: ExperimentConfig, tmp_path: Path) -> None:
    folder = tmp_path / "experiments" / "fake"
    folder.mkdir(parents=True)
    for name in ("metrics.csv", "runs.csv", "histories.csv", "captions.json"):
        text = (results / "experiments" / "fake" / name).read_text()
        (folder / name).write_text(text.replace("reference test n=360", "reference train n=1437", 1))
    with pytest.raises(InputError, match="protocols"):
        write_tables(experiment, tmp_path)
    assert not (folder / "tables").exists()


def test_files_in_three_formats_hold_every_run(results: Path, experiment: ExperimentConfig) -> None:
    written = {path.name: path.read_text() for path in write_tables(experiment, results)}
    assert set(written) == {f"{name}.{suffix}" for name in ("results", "runs") for suffix in ("csv", "md", "tex")}
    assert len(list(csv.DictReader(io.StringIO(written["runs.csv"])))) == len(experiment.run_keys())
    rows = list(csv.DictReader(io.StringIO(written["results.csv"])))
    ours = next(row for row in rows if (row["dataset"], row["model"], row["metric"]) == ("mnist", "sgan", "cfd"))
    assert (float(ours["mean"]), float(ours["std"]), ours["n"], ours["source"]) == (61.0, 1.0, "3", "reproduced")
    reported = [row for row in rows if row["source"] == "reported"]
    assert len(reported) == len(reported_for("mnist"))
    assert all(row["mean"] == "" and row["reported_value"] and row["reported_source"] for row in reported)


def test_names_cannot_break_out_of_a_format() -> None:
    nasty = "a_b & 50% <b>|$x^2 {y} \\z~#`*"
    table = Table("t", nasty, [Column("h")], [("", [[Cell(nasty, is_best=True)]])], nasty)
    latex, markdown = to_latex(table), to_markdown(table)
    # Our own comment, and the sign that swallows a line's end.
    body = re.sub(r"^%.*$|(?<!\\)%$", "", latex, flags=re.MULTILINE)
    assert not re.search(r"(?<!\\)[&%#_]", body.replace(r"\\", ""))
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    assert "<b>" not in markdown
    # The one data line still has one cell: two borders that are not escaped.
    line = next(line for line in markdown.splitlines() if line.startswith("| **"))
    assert len(re.findall(r"(?<!\\)\|", line)) == 2


def test_latex_has_as_many_cells_as_columns(stored: Stored) -> None:
    latex = to_latex(table_of(stored, "mnist"))
    assert r"\toprule" in latex
    lines = [line for line in latex.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    counts = {len(re.findall(r"(?<!\\)&", line)) for line in lines}
    assert counts == {len(table_of(stored, "mnist").columns) - 1}


def test_csv_leaves_missing_cells_empty() -> None:
    assert to_csv(["a", "b", "c"], [[None, float("nan"), 1.5]]) == "a,b,c\n,,1.5\n"


def test_every_reported_figure_has_its_source_and_protocol() -> None:
    figures = read_reported()
    assert len(figures) == 65
    assert all(figure.source and figure.protocol and float(figure.value) for figure in figures)
    assert {figure.metric for figure in figures} == set(REPORTED_LABELS)


def test_before_collect_there_is_one_sentence(tmp_path: Path, experiment: ExperimentConfig) -> None:
    with pytest.raises(InputError, match="run `sgad collect fake` first"):
        write_tables(experiment, tmp_path)


def test_a_column_that_is_missing_or_not_numeric_is_named(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "experiments" / "fake"
    folder.mkdir(parents=True)
    source = results / "experiments" / "fake"
    for name in ("metrics.csv", "runs.csv", "histories.csv", "captions.json"):
        (folder / name).write_text((source / name).read_text())
    (folder / "runs.csv").write_text((source / "runs.csv").read_text().replace("reason", "excuse", 1))
    with pytest.raises(InputError, match=r"runs.csv lacks the column 'reason'"):
        read_stored(tmp_path, "fake")
    (folder / "runs.csv").write_text((source / "runs.csv").read_text().replace("61.5", "soon", 1))
    with pytest.raises(InputError, match=r"runs.csv: column 'seconds'"):
        read_stored(tmp_path, "fake")


def test_what_could_not_be_computed_is_said_with_the_command_that_mends_it(
    tmp_path: Path, fake: SimpleNamespace
) -> None:
    experiment = fake.experiment(datasets=("digits",), measures=("cfd", "fid_inception_clean"))
    fake.write(tmp_path, experiment, num_rows=3)
    for path in tmp_path.glob("results/runs/**/metrics.json"):
        content = json.loads(path.read_text())
        content["metrics"].append(
            {
                "metric": "fid_inception_clean",
                "value": None,
                "status": "not computed: weights absent",
                "details": {"remedy": "sgad doctor --download-weights"},
            }
        )
        path.write_text(json.dumps(content))
    collect(experiment, tmp_path / "results", tmp_path / "data")
    stored = read_stored(tmp_path / "results", "fake")
    table = table_of(stored, "digits")
    (index,) = [index for index, column in enumerate(table.columns) if column.heading.startswith("FID (clean-fid)")]
    # Runs that diverged or are not there have no say.
    for row in block(table, "reproduced here").values():
        assert row[index].text == "not computed: weights absent"
    assert (
        "FID (clean-fid) not computed: weights absent; to compute it: sgad doctor --download-weights." in table.caption
    )


def test_the_check_for_copies_stands_below_the_table(stored: Stored) -> None:
    table = table_of(stored, "digits")
    assert not any("nearest" in column.heading for column in table.columns)
    assert "copy of the training set 0.00" in table.caption
    assert "real training images (floor) 1.01" in table.caption


@pytest.mark.parametrize(
    ("metric", "rows"), [("cfd", ""), ("fad_fsvae", "FSVAE and VAE"), ("fad_fsddim", "FSDDIM"), ("fad_eval", "")]
)
def test_reported_figures_compare_with_fad_alone_and_only_by_its_protocol(metric: str, rows: str) -> None:
    sentence = comparability(pd.DataFrame({"metric": ["ccs", metric]}))
    assert sentence.startswith("Reported figures are other people's, by other protocols, and not comparable with ours")
    assert sentence.partition("compares with the FAD of ")[2] == rows
