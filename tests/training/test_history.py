"""history.csv survives kills and is cut back to the checkpoint."""

from pathlib import Path

from sgad.training.history import COLUMNS, History, read_rows


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    with History(tmp_path, 0) as history:
        for step in (10, 20, 30):
            history.append({"step": step, "loss_generator": 0.5})
    with History(tmp_path, 20) as history:
        history.append({"step": 30, "loss_generator": 0.25})
    rows = read_rows(tmp_path / "history.csv")
    assert [row["step"] for row in rows] == ["10", "20", "30"]
    assert rows[-1]["loss_generator"] == "0.25"
    assert set(rows[0]) == set(COLUMNS)


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    with History(tmp_path, 0) as history:
        history.append({"step": 10})
    path = tmp_path / "history.csv"
    path.write_text(path.read_text() + "20,0.5,1.")
    assert [row["step"] for row in read_rows(path)] == ["10"]


def test_an_absent_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "history.csv") == []
