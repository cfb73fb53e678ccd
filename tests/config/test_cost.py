"""The rough cost of a run: exact where it counts, monotonous where it guesses."""

import pytest

from sgad.config.cost import SHORTEST_MINUTES, estimated_mb, estimated_minutes, num_steps
from sgad.config.run import RunConfig

GREY, COLOUR = (1, 28, 28), (3, 64, 64)


def run(**values: object) -> RunConfig:
    return RunConfig.model_validate({"dataset": "mnist", "model": "sgad", **values})


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({"batch_size": 64, "epochs": 100}, 93_800),
        ({"batch_size": 64, "epochs": 100, "drop_last": True}, 93_700),
        ({"batch_size": 64, "epochs": 100, "max_steps": 20}, 20),
        ({"batch_size": 60_000, "epochs": 1}, 1),
    ],
)
def test_steps_are_those_of_the_loader(values: dict[str, object], steps: int) -> None:
    assert num_steps(run(**values), 60_000) == steps


def test_more_work_asks_for_more() -> None:
    small, large = run(time_steps=4, batch_size=32, max_steps=1000), run(time_steps=16, batch_size=64)
    assert estimated_minutes(small, GREY, 60_000, True) < estimated_minutes(large, GREY, 60_000, True)
    assert estimated_minutes(large, GREY, 60_000, True) < estimated_minutes(large, GREY, 60_000, False)
    assert estimated_mb(small, GREY) < estimated_mb(large, GREY) < estimated_mb(large, COLOUR)
    assert estimated_mb(run(memory="low"), COLOUR) < estimated_mb(run(), COLOUR)


def test_the_shortest_run_has_time_to_start() -> None:
    assert estimated_minutes(run(max_steps=1), GREY, 100, True) == SHORTEST_MINUTES


def test_the_paper_s_colour_run_fits_a_common_gpu_and_a_day() -> None:
    celeba = run(dataset="celeba", time_steps=16, batch_size=64, epochs=1)
    assert estimated_mb(celeba, COLOUR) < 16_000
    assert estimated_minutes(celeba, COLOUR, 162_770, True) < 24 * 60
