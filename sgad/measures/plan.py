"""What a measure's name asks for: which quantity, of which feature network. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sgad.errors import InputError, nearest, require_choice

#: Name of a protocol -> suffix of the metric keys that it makes.
PROTOCOLS = {"torch-fidelity": "tf1", "pytorch-fid": "torch", "clean": "clean"}
INCEPTION = tuple(f"inception_{suffix}" for suffix in PROTOCOLS.values())
AUTOENCODERS = ("fad_fsvae", "fad_fsddim", "fad_eval", "fad_own")
#: The images themselves as features: needs no weights.
PIXELS = "pixels"
NETWORKS = ("classifier", *INCEPTION, *AUTOENCODERS, PIXELS)
#: Quantities that any features give; each metric key is the quantity, "_", the network.
COMMON = ("kid", "precision", "recall", "density", "coverage", "nearest")
NEAREST = "nearest_neighbour"
#: The held-out training images (`sgad.data.held_out`): what recipes are chosen on.
VALID = "valid"
#: Measures against them -> the measure that they are, otherwise, equal to.
ON_VALID = {"fad_val": "fad_fsvae", "fad_eval_val": "fad_eval", "cfd_val": "cfd"}


@dataclass(frozen=True)
class Wanted:
    """One metric: its key, the feature network and the quantity made of its features.

    `split`: the reference images, empty for the data set's reference split.
    """

    metric: str
    network: str
    quantity: str
    split: str = ""


def _all_wanted() -> dict[str, Wanted]:
    found = [Wanted("cfd", "classifier", "frechet"), Wanted("ccs", "classifier", "score")]
    found += [Wanted("cfd_infinity", "classifier", "infinity")]
    found += [Wanted(name, name, "frechet") for name in AUTOENCODERS]
    for network in INCEPTION:
        suffix = network.removeprefix("inception_")
        found += [
            Wanted(f"fid_{network}", network, "frechet"),
            Wanted(f"is_{network}", network, "score"),
            Wanted(f"fid_infinity_{suffix}", network, "infinity"),
        ]
    found += [Wanted(f"{name}_{network}", network, name) for network in NETWORKS for name in COMMON]
    found.append(Wanted(NEAREST, PIXELS, NEAREST))
    known = {wanted.metric: wanted for wanted in found}
    return known | {key: replace(known[name], metric=key, split=VALID) for key, name in ON_VALID.items()}


KNOWN = _all_wanted()

#: Short names: what they stand for on the network in question ({n}) or with the Inception protocol ({p}).
SHORT = {
    "fid": ("fid_inception_{p}",),
    "is": ("is_inception_{p}",),
    "isc": ("is_inception_{p}",),
    "inception_score": ("is_inception_{p}",),
    "fid_infinity": ("fid_infinity_{p}",),
    "kid": ("kid_{n}",),
    "prc": ("precision_{n}", "recall_{n}"),
    "precision": ("precision_{n}",),
    "recall": ("recall_{n}",),
    "prdc": ("precision_{n}", "recall_{n}", "density_{n}", "coverage_{n}"),
    "density": ("density_{n}",),
    "coverage": ("coverage_{n}",),
    "nearest": ("nearest_{n}",),
    "fad": ("fad_fsvae", "fad_eval"),
    "memorisation": (NEAREST,),
}
_ASKS_FOR_INCEPTION = ("fid", "is", "isc", "inception_score", "fid_infinity")


def plan(names: Sequence[str], extractor: str | None = None, protocol: str = "clean") -> list[Wanted]:
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
    keys: dict[str, None] = {}
    for name in names:
        if name not in KNOWN and name not in SHORT:
            choices = (*SHORT, *KNOWN)
            raise InputError(
                f"measure {name!r} is unknown{nearest(name, choices)}; known are {', '.join(SHORT)}, cfd,"
                f" ccs, {', '.join((*AUTOENCODERS, *ON_VALID))}, {NEAREST} and keys such as kid_classifier or fid_inception_clean"
            )
        for key in SHORT.get(name, (name,)):
            keys[key.format(p=PROTOCOLS[protocol], n=network)] = None
    return [KNOWN[key] for key in keys]


def asks_for_inception(names: Sequence[str]) -> bool:
    """Whether a short name is among these that means Inception."""
    return any(name in _ASKS_FOR_INCEPTION for name in names)


def _network(names: Sequence[str], extractor: str | None, suffix: str) -> str:
    if extractor is None:
        extractor = "inception" if asks_for_inception(names) else "classifier"
    full = {"inception": f"inception_{suffix}", "fad": "fad_eval"}.get(extractor, extractor)
    return require_choice("extractor", full, NETWORKS)
