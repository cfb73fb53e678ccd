"""Seeds from named axes."""

from hypothesis import given
from hypothesis import strategies as st

from sgad.runs.seeds import stream_seed

AXES = st.lists(st.one_of(st.integers(0, 2**31), st.text(max_size=8)), min_size=1, max_size=4)


def test_a_known_seed_never_changes() -> None:
    assert stream_seed("mnist", 0, "order", 0) == 895881803


@given(AXES, AXES)
def test_equal_axes_agree_and_different_ones_do_not(left: list[str | int], right: list[str | int]) -> None:
    assert (stream_seed(*left) == stream_seed(*right)) == (left == right)


def test_a_number_and_its_text_are_different_axes() -> None:
    assert stream_seed(1) != stream_seed("1")
