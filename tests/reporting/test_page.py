import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from sgad.config.experiment import ExperimentConfig
from sgad.reporting.page.data import Embedder, curves_of, script_json
from sgad.reporting.page.report import _breakable, build_page, write_report
from sgad.store.collect import collect
from sgad.store.stored import Stored, read_stored
from sgad.store.summary import summarise


class Reader(HTMLParser):
    """Collects what a browser would: elements with attributes, and the text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def page(stored: Stored) -> str:
    return build_page(stored, summarise(stored.metrics, stored.runs))


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_names_and_reasons_are_text_not_markup(page: str, reader: Reader, fake: SimpleNamespace) -> None:
    assert fake.title not in page
    assert fake.reason not in page
    assert fake.title in "".join(reader.text)
    assert fake.reason in "".join(reader.text)
    assert not [attributes for _, attributes in reader.elements if "onerror" in attributes]
    # Curves' data, uPlot, our script: no fourth one came in with a name.
    assert [tag for tag, _ in reader.elements].count("script") == 3


def test_nothing_is_fetched_from_anywhere(reader: Reader) -> None:
    fetched = ("src", "srcset", "poster", "data-source")
    for tag, attributes in reader.elements:
        for name in fetched:
            address = attributes.get(name) or "data:"
            assert address.startswith(("data:", "grids/")), (tag, name, address[:80])
        assert tag != "link" or (attributes.get("href") or "").startswith("data:")


def test_the_page_is_one_file_of_moderate_size(page: str, reader: Reader) -> None:
    assert len(page.encode()) < 10_000_000
    pictures = [attributes["src"] for tag, attributes in reader.elements if tag == "img" and attributes.get("src")]
    assert pictures
    assert all(address.startswith("data:image/") for address in pictures if address)


def test_every_picture_has_words_for_those_who_do_not_see_it(reader: Reader) -> None:
    assert all(attributes.get("alt") for tag, attributes in reader.elements if tag == "img")


def test_ids_are_unique_and_links_inside_lead_somewhere(reader: Reader) -> None:
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes.get("href") or "" for tag, attributes in reader.elements if tag == "a"]
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)


def test_failures_are_listed_with_their_reasons(reader: Reader) -> None:
    text = " ".join("".join(reader.text).split())
    assert "14 completed, 2 diverged, 2 absent" in text
    assert "seed 1: not trained" in text
    assert "see why 4 did not complete" in text


def test_every_run_is_in_the_table_with_its_provenance(reader: Reader, experiment: ExperimentConfig) -> None:
    assert len([1 for tag, attributes in reader.elements if tag == "tr" and "data-status" in attributes]) == 18
    text = "".join(reader.text)
    for key in experiment.run_keys():
        assert f"runs/{key.folder}" in text


def test_curves_are_json_without_nan(page: str, experiment: ExperimentConfig) -> None:
    found = re.search(r'<script type="application/json" id="curve-data">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found.group(1))
    assert set(data) == set(experiment.dataset_keys())
    assert [run["label"] for run in data["digits"]["series"]][:2] == ["SGAN, seed 0", "SGAN, seed 1"]
    assert len(data["digits"]["series"]) == 8


def test_json_cannot_end_its_script() -> None:
    text = script_json({"a": "</script><!--\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028"}


def test_a_value_that_is_not_finite_becomes_a_gap(stored: Stored) -> None:
    histories = stored.histories.copy()
    histories.loc[histories.index[:3], "loss_generator"] = [float("nan"), float("inf"), -float("inf")]
    spoilt = Stored(stored.folder, stored.metrics, stored.runs, histories, stored.captions)
    values = curves_of(spoilt, "digits")["series"][0]["values"]["loss_generator"]
    assert values[:3] == [None, None, None]
    assert script_json(values)


def test_a_model_has_no_card_for_a_seed_that_is_not_asked_of_it(stored: Stored) -> None:
    first = stored.runs.iloc[0]
    cell = (stored.runs["model"] == first["model"]) & (stored.runs["variant"] == first["variant"])
    runs = stored.runs[~(cell & (stored.runs["seed"] == first["seed"]))]
    assert len(runs) < len(stored.runs)
    page = build_page(replace(stored, runs=runs), summarise(stored.metrics, runs))
    assert "not listed" not in page


def test_pictures_beyond_the_budget_become_links(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(bytes(60))
    embedder = Embedder(tmp_path, budget=100)
    assert embedder.address(tmp_path / "a.png").startswith("data:image/png;base64,")
    assert embedder.address(tmp_path / "b.png") == "b.png"
    assert embedder.linked == ["b.png"]
    assert embedder.address(tmp_path / "c.png") == ""


@pytest.mark.slow
def test_five_hundred_runs_stay_below_ten_megabytes(tmp_path: Path, fake: SimpleNamespace) -> None:
    experiment = fake.experiment(
        datasets=("digits", "mnist"), models=("sgan", "swgan", "sgad"), seeds=tuple(range(84)), baselines=False
    )
    fake.write(tmp_path, experiment, num_rows=5)
    collect(experiment, tmp_path / "results", tmp_path / "data")
    path = write_report(experiment, tmp_path / "results")
    assert len(read_stored(tmp_path / "results", "fake").runs) == 504
    assert path.stat().st_size < 10_000_000


def test_long_names_break_where_their_parts_are_joined() -> None:
    assert _breakable("SGAD (tau=4+<b>)") == "SGAD (tau=4+<wbr>&lt;b&gt;)"
