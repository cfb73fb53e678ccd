"""Generated event clips beside real ones: how many events, of which polarity, when, and how the frames look."""

from pathlib import Path

import numpy as np

from sgad.analyses.toolbox.findings import Finding, missing
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Floats, Subject
from sgad.analyses.toolbox.yardsticks import ImageSet, Yardsticks
from sgad.images import save_gif, to_bytes

OFF, ON = 0, 1
POLARITIES = {"on": ON, "off": OFF}
PICTURED = 16


def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_events(material.subject, material.yardsticks)


def analyse_events(subject: Subject, yardsticks: Yardsticks) -> list[Finding]:
    """How a run's event clips differ from real ones; draws both as GIFs."""
    if not subject.is_events:
        return [missing("event_rate", "the run makes still images")]
    generated, real = subject.made.steps.swapaxes(0, 1), subject.clips()
    for name, clips in (("sample.gif", generated), ("real.gif", real)):
        _save_clips(subject.folder / name, clips)
    return compare_events(generated, real, yardsticks)


def compare_events(generated: Floats, real: Floats, yardsticks: Yardsticks) -> list[Finding]:
    """Compare clips (N, T, 2, H, W), intensities in [0, 1] with OFF before ON.

    Returns
    -------
    event_rate of both sets and polarities at each step (sum over the frame, mean over clips), on_share of both sets,
    rate_ratio (generated over real, all events), frame_distance at each step by each yardstick.
    """
    found = yardsticks.absences("frame_distance")
    for name, clips in (("generated", generated), ("real", real)):
        found += _rates(name, clips)
    ratio = float(generated.sum(axis=(1, 2, 3, 4)).mean() / real.sum(axis=(1, 2, 3, 4)).mean())
    found.append(
        Finding(
            quantity="rate_ratio",
            part="generated",
            value=ratio,
            n=len(generated),
            protocol="events of generated clips over events of real ones",
        )
    )
    for step in range(generated.shape[1]):
        pair = ImageSet("generated", generated[:, step]), ImageSet("real", real[:, step])
        found += yardsticks.compare("frame_distance", *pair, position=float(step + 1))
    return found


def _rates(name: str, clips: Floats) -> list[Finding]:
    rates = clips.sum(axis=(3, 4)).mean(axis=0)
    protocol = "pixels clipped to [0, 1], summed over a frame, mean over clips"
    found = [
        Finding(
            quantity="event_rate",
            part=f"{name} {polarity}",
            position=float(step + 1),
            value=float(rates[step, channel]),
            n=len(clips),
            protocol=protocol,
        )
        for polarity, channel in POLARITIES.items()
        for step in range(clips.shape[1])
    ]
    total = float(rates.sum())
    if total == 0:
        return [*found, missing("on_share", f"no events in the {name} clips")]
    share = float(rates[:, ON].sum()) / total
    balance = Finding(quantity="on_share", part=name, value=share, n=len(clips), protocol="ON events over all events")
    return [*found, balance]


def _save_clips(path: Path, clips: Floats) -> None:
    save_gif(path, to_bytes(np.ascontiguousarray(clips[:PICTURED])), columns=4)
