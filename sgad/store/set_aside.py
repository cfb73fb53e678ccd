"""Values of runs that no longer are, beside values of others by another protocol.

Each machine trains small classifiers of its own, and a run whose folder is gone cannot be measured again. Where the runs of
an experiment were trained on two machines, no column may hold both.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
#: How the status of a value begins that is stored and not used.
SET_ASIDE = "set aside: "


def set_aside(fresh: Iterable[Row], kept: Iterable[Row]) -> list[Row]:
    """All rows of metrics.csv, with those marked that cannot stand in a column with most of the others.

    Parameters
    ----------
    fresh, kept
        Rows of runs whose folders are there, and of those whose folders are gone. Fresh rows alone are never marked: they
        can be measured again, which tables ask for.

    Returns
    -------
    The rows; for each data set and metric that has kept values, those of all protocols but one keep their value and say
    "set aside: ..." as status. The protocol of most values stays, of as many that of the kept ones.
    """
    kept, fresh = list(kept), list(fresh)
    protocols: dict[tuple[str, str], Counter[str]] = {}
    for row in (*kept, *fresh):
        if _has_value(row):
            protocols.setdefault(_column(row), Counter())[row["protocol"]] += 1
    gone = {_column(row) for row in kept if _has_value(row)}
    # A counter lists equal counts in the order in which they came: kept rows first.
    used = {column: found.most_common(1)[0] for column, found in protocols.items() if column in gone}
    return [_marked(row, used) for row in (*kept, *fresh)]


def _marked(row: Row, used: Mapping[tuple[str, str], tuple[str, int]]) -> Row:
    protocol, count = used.get(_column(row), (row.get("protocol"), 0))
    if not _has_value(row) or row["protocol"] == protocol:
        return row
    return row | {"status": f"{SET_ASIDE}measured by another protocol than {count} other runs"}


def _column(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["dataset"]), str(row["metric"])


def _has_value(row: Mapping[str, Any]) -> bool:
    return row.get("value") not in (None, "")
