"""The rough cost of a run: exact where it counts, monotonous where it guesses."""

import pytest

from sgad.config.cost import (
    CUDA_MB,
    SHORTEST_MINUTES,
    checkpoints_mb,
    estimated_mb,
    estimated_minutes,
    num_attempts,
    num_steps,
)
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


@pytest.mark.parametrize(("minutes", "attempts"), [(10, 3), (1440, 3), (1441, 4), (4500, 6)])
def test_a_run_longer_than_a_job_gets_the_attempts_that_it_needs(minutes: int, attempts: int) -> None:
    assert num_attempts(minutes, max_minutes=1440, retries=2) == attempts


def test_a_gpu_job_s_host_memory_is_the_process_and_cuda_s_not_the_activations() -> None:
    assert estimated_mb(run(), COLOUR, on_gpu=True) == estimated_mb(run(), GREY, on_gpu=True) >= CUDA_MB + 1000


def test_disk_holds_every_checkpoint_and_the_one_that_is_being_written() -> None:
    assert checkpoints_mb(run(optimizer="rmsprop", ema_decay=0.0, keep_checkpoints=2), 10.0) == 3 * 2 * 10.0
    assert checkpoints_mb(run(optimizer="adam", ema_decay=0.9, keep_checkpoints=1), 10.0) == 2 * 4 * 10.0
