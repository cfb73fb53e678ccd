"""Documents say what is stored, and nothing that is not."""

from pathlib import Path

import pytest

from sgad.errors import InputError
from sgad.reporting.prose import TEMPLATES, Numbers, bare_numbers, fill, note

FASHION = ("fashion_cpu", "fashion_mnist")
TUNED = "stable+tuned+max_steps=3000"


@pytest.fixture(scope="module")
def numbers(repository: Path) -> Numbers:
    return Numbers(repository / "results")


def documents(repository: Path) -> list[Path]:
    return sorted((repository / "docs" / TEMPLATES).glob("*.md"))


def test_documents_say_what_the_stored_results_do(repository: Path) -> None:
    assert {path.name for path in documents(repository)} == {"claims.md", "training.md"}
    for template in documents(repository):
        text = template.read_text(encoding="utf-8")
        written = (repository / "docs" / template.name).read_text(encoding="utf-8")
        assert written == fill(text, template.name, repository / "results"), "run `make docs-numbers`"


def test_no_template_states_a_number_that_comes_from_nowhere(repository: Path) -> None:
    for template in documents(repository):
        assert bare_numbers(template.read_text(encoding="utf-8")) == [], template.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FAD falls\nto 12.0 after a while", [(2, "12.0")]),
        ("CFD 0.42 and 36 times as much", [(1, "0.42"), (1, "36")]),
        ("worse by 23 %", [(1, "23")]),
        ("T = 4, 3,000 update pairs of 32 images, seeds 0, 1 and 2, 28x28, in 2024", []),
        ("`lr=4e-4`, {{ mean('a') }}, [x](y.md#z-2), CIFAR-10, arXiv:2305.10246", []),
        ("## Round 2\n\n    code 12.5\n\n```\n3.5\n```\n", []),
        ('at {{ note("4.6", "Horowitz 2014") }} pJ', []),
    ],
)
def test_measured_values_are_told_from_settings(text: str, expected: list[tuple[int, str]]) -> None:
    assert bare_numbers(text) == expected


def test_numbers_are_rounded_once_and_as_tables_show_them(numbers: Numbers) -> None:
    values = {seed: float(numbers.seed(*FASHION, "sgan", TUNED, "fad_fsvae", seed)) for seed in range(3)}
    mean, deviation = numbers.spread(*FASHION, "sgan", TUNED, "fad_fsvae").removesuffix(" (three seeds)").split(" ± ")
    assert float(mean) == pytest.approx(sum(values.values()) / 3, abs=0.02) and float(deviation) > 0
    assert numbers.mean(*FASHION, "sgan", TUNED, "fad_fsvae") == mean
    assert numbers.minutes(*FASHION, "sgan", TUNED).count(" to ") <= 1
    assert numbers.reported("fashion_mnist", "FSDDIM", 4, "fad") == "9.25"


def test_words_are_the_verdicts_of_the_comparisons(numbers: Numbers) -> None:
    pair = (("swgan", TUNED), ("sgan", TUNED))
    assert numbers.verdict(*FASHION, "fad_fsvae", *pair) == "better"
    assert numbers.difference(*FASHION, "fad_fsvae", *pair).endswith("): better")
    alone = (("sgad", "stable+tuned+analog+max_steps=6000"), ("sgad", "stable+max_steps=6000"))
    assert numbers.difference(*FASHION, "fad_fsvae", *alone).endswith(": too few seeds")
    with pytest.raises(InputError, match=r"makes no comparison of sgad/stable\+tuned\+max_steps=6000 against swgan"):
        numbers.verdict(*FASHION, "fad_fsvae", ("sgad", "stable+tuned+max_steps=6000"), ("swgan", TUNED))


def test_tables_name_cells_of_fewer_seeds(numbers: Numbers) -> None:
    lines = numbers.scores(*FASHION, [("paper", "hybrid", "paper+time_steps=4+max_steps=1500")], ["cfd", "fad_fsvae"])
    assert lines.splitlines()[-1].count("(one seed)") == 1 and lines.splitlines()[-1].endswith("| 2 |")


@pytest.mark.parametrize(
    "text",
    [
        '{{ mean("fashion_cpu", "fashion_mnist", "sgad", "tuned", "fad_fsvae") }}',
        '{{ mean("no_such", "fashion_mnist", "sgad", "tuned", "fad_fsvae") }}',
        '{{ found("claims_cpu", "energy", "digits", "sgad", "quick", "joules") }}',
        '{{ ends("fashion_cpu", "fashion_mnist", "sgad", "stable+max_steps=6000", "no_column") }}',
        '{{ reported("fashion_mnist", "FSDDIM", 16, "fad") }}',
        '{{ mean("fashion_cpu" }}',
        "{{ unknown }}",
        '{{ note("5", "") }}',
    ],
)
def test_what_is_not_stored_cannot_be_said(text: str, repository: Path) -> None:
    with pytest.raises(InputError, match=r"docs/numbers/page\.md: "):
        fill(text, "page.md", repository / "results")


def test_a_note_shows_its_number_and_keeps_its_source_for_the_template() -> None:
    assert note("4.6", "Horowitz 2014") == "4.6"
