"""Every metric on every network: its key, how it is shown, what a user's short name asks for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sgad.catalogue.declarations import Metric, MetricName
from sgad.catalogue.discovery import declared
from sgad.catalogue.networks import NETWORKS, PROTOCOLS
from sgad.errors import InputError, nearest, require_choice

NEAREST = "nearest_neighbour"
#: The held-out training images (`sgad.data.held_out`): what recipes are chosen on.
VALID = "valid"
_ANY = MetricName("{metric}_{network}", "{label} ({within})")


@dataclass(frozen=True)
class MetricInfo:
    """One metric of one network: what a row of metrics.csv is about, and how it is shown.

    `quantity`: the key of its declaration. `split`: the reference images, empty for the data
    set's reference split. `unit` is empty for pure numbers, `decimals` those of a table cell.
    """

    key: str
    label: str
    higher_is_better: bool
    decimals: int = 2
    unit: str = ""
    network: str = ""
    quantity: str = ""
    split: str = ""


def metrics() -> dict[str, Metric]:
    """Every metric: those of `sgad.measures.metrics`, entry points `sgad.metrics`, plugins."""
    return declared(Metric, "sgad.measures.metrics", "sgad.metrics")


def known_metrics() -> Mapping[str, MetricInfo]:
    """Every metric on every network that it has, by the key of its rows."""
    return _expanded(tuple(metrics().values()))


def short_names() -> Mapping[str, tuple[str, ...]]:
    """What a short name stands for: keys, with {n} for the chosen network and {p} for the chosen Inception protocol."""
    return _short(tuple(metrics().values()))


def metric_info(key: str) -> MetricInfo:
    """How a metric is shown; an unknown key is its own label, and lower is better.

    A key that ends in the hash of other weights than the published ones is shown as the one without, with the hash in its label.
    """
    return known_metrics().get(key) or _with_other_weights(key) or MetricInfo(key, key, False, decimals=3)


def as_asked_for(key: str) -> str:
    """The key that was asked for: one measured with other weights than the published ones ends in their hash, FID is FD."""
    if key in known_metrics() or _with_other_weights(key) is None:
        return key
    return re.sub("^fd_", "fid_", key[: key.rindex("_")])


def _with_other_weights(key: str) -> MetricInfo | None:
    found = re.fullmatch(r"(.+)_([0-9a-f]{8})", key)
    if found is None:
        return None
    name, weights = found.groups()
    # A distance by other weights is called FD: the word FID is kept for the published ones.
    metric = known_metrics().get(re.sub("^fd_", "fid_", name))
    if metric is None:
        return None
    return replace(metric, key=key, label=f"{metric.label.replace('FID', 'FD', 1)}, other weights {weights}")


@cache
def _expanded(declared_metrics: tuple[Metric, ...]) -> Mapping[str, MetricInfo]:
    found: dict[str, MetricInfo] = {}
    for metric in declared_metrics:
        for info in _of_networks(metric):
            if info.key in found:
                raise InputError(
                    f"metric key {info.key!r} belongs to {found[info.key].quantity} and to {metric.key}; rename one of them"
                )
            found[info.key] = info
    return found


def _of_networks(metric: Metric) -> Iterator[MetricInfo]:
    for network in NETWORKS.values():
        name = _ANY if metric.names is None else metric.names.get(network.kind)
        if name is None:
            continue
        words = {"metric": metric.key, "label": metric.label, "network": network.key, "suffix": network.suffix}
        words |= {"where": network.where, "within": network.within}
        info = MetricInfo(
            name.key.format(**words),
            name.label.format(**words),
            metric.higher_is_better,
            metric.decimals if name.decimals is None else name.decimals,
            metric.unit,
            network.key,
            metric.key,
        )
        yield info
        if network.key in metric.held_out:
            label = f"{info.label[:-1]}, valid)" if info.label.endswith(")") else f"{info.label} (valid)"
            yield replace(info, key=metric.held_out[network.key], label=label, split=VALID)


@cache
def _short(declared_metrics: tuple[Metric, ...]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for metric in declared_metrics:
        own = {metric.key: "extractor"} if metric.short is None and metric.names is None else metric.short or {}
        for name, where in own.items():
            found[name] = (*found.get(name, ()), *_keys_of(metric, where))
    return found


def _keys_of(metric: Metric, where: str | tuple[str, ...]) -> Iterator[str]:
    if not isinstance(where, str):
        own = {info.network: info.key for info in _of_networks(metric) if not info.split}
        yield from (own[network] for network in where)
        return
    name = (metric.names or {}).get(where, _ANY)
    network, suffix = ("inception_{p}", "{p}") if where == "inception" else ("{n}", "")
    yield name.key.format(metric=metric.key, network=network, suffix=suffix)


def measure_lines() -> list[tuple[str, str]]:
    """What a user may write, and what that is: a line for each metric that has a name of its own."""
    known = known_metrics().values()
    lines = []
    for metric in metrics().values():
        keys = [info.key for info in known if info.quantity == metric.key and metric.names is not None]
        keys = [key for key in keys if "inception" not in key and not key.startswith("fid_")]
        names = metric.short if metric.short is not None else {metric.key: ""}
        lines.append((", ".join(dict.fromkeys((*names, *keys))), metric.about))
    return lines


def asks_for_inception(names: Sequence[str]) -> bool:
    """Whether a short name is among these that means Inception, which then serves `kid` and its like, too."""
    return any((metric.short or {}).get(name) == "inception" for metric in metrics().values() for name in names)


def plan(names: Sequence[str], extractor: str | None = None, protocol: str = "clean") -> list[MetricInfo]:
    """The metrics that the names ask for, each once, in order.

    Short names such as `kid` take the features of `extractor` (inception, classifier, fad, pixels or a full network
    name); by default those of Inception where `fid` or `is` is asked for as well, else the classifier's.

    Raises
    ------
    InputError
        If a name is unknown, with the nearest known one.
    """
    require_choice("protocol", protocol, PROTOCOLS)
    network = _network(names, extractor, PROTOCOLS[protocol])
    known, short = known_metrics(), short_names()
    keys: dict[str, None] = {}
    for name in names:
        if name not in known and name not in short:
            single = ", ".join(key for key, info in known.items() if not key.endswith(info.network or key))
            raise InputError(
                f"measure {name!r} is unknown{nearest(name, (*short, *known))}; known are {', '.join(short)}, {single} and"
                " keys such as kid_classifier or fid_inception_clean"
            )
        for key in short.get(name, (name,)):
            keys[key.format(p=PROTOCOLS[protocol], n=network)] = None
    return [known[key] for key in keys]


def _network(names: Sequence[str], extractor: str | None, suffix: str) -> str:
    if extractor is None:
        extractor = "inception" if asks_for_inception(names) else "classifier"
    full = {"inception": f"inception_{suffix}", "fad": "fad_eval"}.get(extractor, extractor)
    return require_choice("extractor", full, NETWORKS)


def files_needed(names: Sequence[str]) -> list[str]:
    """The files of a data set's folder, below DATA/DATASET, that the metrics' networks need."""
    networks = (NETWORKS[info.network] for info in plan(names))
    return list(dict.fromkeys(file for network in networks for file in network.files))
