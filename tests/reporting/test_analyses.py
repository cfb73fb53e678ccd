"""Tables and figures of the analyses, from made-up findings whose means are known."""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from sgad.analyses.toolbox.findings import COLUMNS, Finding, missing, write_findings
from sgad.catalogue import lookup
from sgad.config.experiment import ExperimentConfig
from sgad.display.findings import analysis_caption, findings, seen
from sgad.display.formats import ABSENT, Table, TableFile
from sgad.display.plotting import paper_style
from sgad.reporting.figures.save import write_figures
from sgad.reporting.tables.paper import DATASETS, paper_table
from sgad.reporting.tables.save import write_tables
from sgad.store.collect import collect
from sgad.store.stored import FINDING_COLUMNS, Stored, read_stored
from sgad.store.summary import summarise

ANALYSES = ("domain_gap", "temporal_gap", "energy", "events", "latent_space")
TABLES = ("results", "paper", *ANALYSES, "alignment", "runs")
FIGURES = ("domain_gap", "pixel_values", "temporal_gap", "energy", "event_rates", "classes", "alignment")


def tables_of(stored: Stored, analysis: str) -> list[Table]:
    """The tables of an analysis, one a data set for which there is anything to show."""
    (kind,) = lookup.analysis_of(analysis).tables
    made: TableFile = kind.build(stored, summarise(stored.metrics, stored.runs))
    return list(made.tables)


def row(quantity: str, value: float, part: str = "", position: float | None = None) -> Finding:
    return Finding(quantity=quantity, part=part, position=position, value=value, n=10, protocol=f"way of {quantity}")


def made_up(seed: int) -> dict[str, list[Finding]]:
    """Every quantity of every analysis; values depend on the seed, so that means and spreads are known."""
    steps = range(1, 5)
    gap = [
        row(q, 10 + seed, part, t)
        for q in ("critic_to_shown", "critic_to_data")
        for part in ("classifier", "pixels")
        for t in steps
    ]
    gap += [row("shown_to_data", 3.0, "classifier"), row("on_lattice", 1.0, "critic"), row("on_lattice", 0.5, "shown")]
    gap += [row("pixel_histogram", 1 / 32, name, bar / 31) for name in ("critic", "shown", "data") for bar in range(32)]
    time = [row("step_to_data", 100.0 / t + seed, "classifier", t) for t in steps]
    time += [row("sample_change", 0.1, "pixels", t) for t in (2, 3, 4)] + [
        row("temporal_inconsistency", 0.1 + 0.1 * seed, "pixels")
    ]
    time += [row("new_share", 0.5, "", t) for t in steps] + [missing("step_to_data", "weights absent", "fad_eval")]
    energy = [
        row(quantity, value, f"{network}/all")
        for network in ("generator", "critic")
        for quantity, value in (
            ("synaptic_operations", 2e6),
            ("multiply_accumulates", 1e6),
            ("energy_nanojoule", 6400.0),
            ("analog_energy_nanojoule", 46000.0),
        )
    ]
    events = [
        row("event_rate", 5.0, f"{name} {polarity}", t)
        for name in ("generated", "real")
        for polarity in ("on", "off")
        for t in steps
    ]
    events += [row("on_share", 0.5, "generated"), row("on_share", 0.5, "real"), row("rate_ratio", 1.25, "generated")]
    latent = [row("class_share", 0.1, part, c) for part in ("generated", "training") for c in range(10)]
    latent += [row("nearest_neighbour_ratio", 0.9), row("class_entropy", 1.0), row("precision", 0.7)]
    scores = [
        row(q, v, layer)
        for layer in ("pixels", "neurons1")
        for q, v in (("rsa", 0.3), ("rsa_p", 0.01), ("cka", 0.2), ("cka_p", 0.02))
    ]
    scores.append(row("rsa_ceiling", 0.8))
    found = dict(zip(ANALYSES, (gap, time, energy, events, latent), strict=True))
    return found | {"alignment": scores}


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory, fake: SimpleNamespace) -> tuple[Path, ExperimentConfig]:
    root = tmp_path_factory.mktemp("analysed")
    experiment = fake.experiment(
        datasets=("digits",), seeds=(0, 1), analyses=(*ANALYSES, "alignment"), neurons="synthetic", tables=TABLES, figures=FIGURES
    )  # fmt: skip
    fake.write(root, experiment, num_rows=12)
    for key in experiment.run_keys():
        folder = root / "results" / "runs" / key.folder
        # One run is absent and one was never analysed.
        if (key.model, key.seed) not in (("sgad", 1), ("swgan", 1)):
            write_findings(folder / "analyses", made_up(key.seed))
    collect(experiment, root / "results", root / "data")
    return root / "results", experiment


@pytest.fixture(scope="module")
def stored(analysed: tuple[Path, ExperimentConfig]) -> Stored:
    return read_stored(analysed[0], "fake")


def cells_of(table, model: str) -> dict[str, str]:
    rows = {row[0].text: row for _, block in table.blocks for row in block}
    headings = [f"{column.group}: {column.heading}" if column.group else column.heading for column in table.columns]
    return dict(zip(headings, [cell.text for cell in rows[model]], strict=True))


def test_the_columns_of_a_run_and_of_an_experiment_agree() -> None:
    assert COLUMNS == FINDING_COLUMNS


def test_means_over_seeds_and_steps_stand_in_the_tables(stored: Stored) -> None:
    (gap,) = tables_of(stored, "domain_gap")
    assert cells_of(gap, "SGAN")["critic against shown: CFD"] == "10.50 ± 0.71"
    assert cells_of(gap, "SWGAN")["critic against shown: CFD"] == "10.00"
    (time,) = tables_of(stored, "temporal_gap")
    assert cells_of(time, "SGAN")["temporal inconsistency"] == "0.1500 ± 0.0707"
    assert cells_of(time, "SGAD")["CFD to data: t = 4"] == "25.00"
    (energy,) = tables_of(stored, "energy")
    assert cells_of(energy, "SGAD")["generator: SOPs [M]"] == "2.000"
    assert cells_of(energy, "SGAD")["critic: energy [µJ]"] == "6.400"
    (events,) = tables_of(stored, "events")
    assert cells_of(events, "SGAD")["events over real"] == "1.250"
    (latent,) = tables_of(stored, "latent_space")
    assert cells_of(latent, "SGAD")["nearest neighbour ratio"] == "0.900"
    (alignment,) = tables_of(stored, "alignment")
    assert cells_of(alignment, "noise ceiling")["RSA: score"] == "0.800 ± 0.000"
    assert cells_of(alignment, "SGAN")["CKA: p"] == "0.020 ± 0.000"


def test_a_model_without_any_value_keeps_its_row_and_its_reason(stored: Stored) -> None:
    assert stored.analyses is not None
    analyses = stored.analyses.copy()
    lost = (analyses["model"] == "sgad") & (analyses["analysis"] == "energy")
    analyses.loc[lost, "value"] = math.nan
    analyses.loc[lost, ["protocol", "status"]] = ["energy of sgad's generator", "not computed: cell.weight of Own"]
    (table,) = tables_of(dataclasses.replace(stored, analyses=analyses), "energy")
    assert set(list(cells_of(table, "SGAD").values())[2:]) == {ABSENT}
    assert "energy of sgad's generator: not computed: cell.weight of Own" in table.caption


def test_captions_name_stand_ins_protocols_and_what_is_absent(stored: Stored) -> None:
    caption = analysis_caption(stored, "temporal_gap", "digits", ["step_to_data"])
    assert "Digits (scikit-learn), not MNIST" in caption
    assert "way of step_to_data" in caption and "way of new_share" not in caption
    assert "fad_eval: not computed: weights absent" in caption
    assert "not computed: not analysed" in caption and "not computed: not trained" in caption


def test_every_table_and_figure_is_written(analysed: tuple[Path, ExperimentConfig]) -> None:
    results, experiment = analysed
    names = {path.name for path in write_tables(experiment, results)}
    assert names == {f"{name}.{suffix}" for name in TABLES for suffix in ("csv", "md", "tex")}
    figures = {path.name for path in write_figures(experiment, results)}
    assert figures == {f"{name}-digits.{suffix}" for name in FIGURES for suffix in ("svg", "png")}
    lines = (results / "experiments/fake/tables/energy.csv").read_text().splitlines()
    assert lines[0].startswith("dataset,model,variant,family,time_steps,seed,analysis,quantity")
    assert any("not computed: not analysed" in line for line in lines)


def test_the_papers_table_keeps_reported_and_reproduced_apart(stored: Stored) -> None:
    table = paper_table(summarise(stored.metrics, stored.runs), stored.runs, stored.captions)
    (above, reported), (below, reproduced) = table.blocks
    assert (above, below) == ("reported by others", "reproduced here")
    texts = {row[0].text: [cell.text for cell in row] for row in reported if row[0].text == "SGAD"}
    assert texts["SGAD"][4:8] == ["69.64", "165.42", "181.50", "151.36"]
    for row in reproduced:
        assert all(cell.text == ABSENT for cell in row[4 : 4 + len(DATASETS)])
    assert {row[8].text for row in reported} == {ABSENT}
    assert [row[8].text for row in reproduced if row[0].text == "SGAN"] == ["60.50"]
    assert "Cao et al. 2024" in table.caption and "not MNIST" in table.caption


def test_without_analyses_there_is_nothing_to_draw(stored: Stored) -> None:
    bare = Stored(stored.folder, stored.metrics, stored.runs, stored.histories, stored.captions)
    assert findings(bare, "energy", "digits").empty
    assert tables_of(bare, "energy") == []
    with paper_style():
        kinds = [kind for analysis in lookup.analyses().values() for kind in analysis.figures]
        assert all(kind.draw(bare, "digits") is None for kind in kinds if kind.key != "time_steps")


def test_an_absent_quantity_is_a_dash(stored: Stored) -> None:
    frame = findings(stored, "energy", "digits")
    assert seen(frame, "sgan", "quick", "no such thing").text(2) == ABSENT
