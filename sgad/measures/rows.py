"""Rows of metrics.json: one metric each, with interval, protocol, status and details."""

from typing import Any

import numpy as np

from sgad.catalogue.metrics import MetricInfo
from sgad.measures.estimate import Estimate
from sgad.measures.extractors.networks import Missing

Row = dict[str, Any]


def computed_row(name: str, estimate: Estimate, count: int, text: str) -> Row:
    """The row of a value; one that is not finite becomes a row without value that says so."""
    if not np.isfinite(estimate.value):
        return empty_row(name, count, text, "not computed: the value is not finite", estimate.details)
    return {
        "metric": name,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": count,
        "protocol": f"{text}; {estimate.method}",
        "status": "computed",
        "details": estimate.details,
    }


def empty_row(name: str, count: int, text: str, status: str, details: dict[str, Any]) -> Row:
    """The row of a metric that has no value, with the reason as its status."""
    return {
        "metric": name,
        "value": None,
        "low": None,
        "high": None,
        "n": count,
        "protocol": text,
        "status": status,
        "details": details,
    }


def missing_row(item: MetricInfo, missing: Missing) -> Row:
    """The row of a metric whose network cannot be had here, with the command that fixes it."""
    return empty_row(item.key, 0, item.network, f"not computed: {missing.reason}", {"remedy": missing.remedy})
