"""`sgad export`: a run becomes a folder of the zoo: small weights, configuration, record, picture and card."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from torch import Tensor, nn

from sgad._version import __version__
from sgad.catalogue.metrics import metric_info
from sgad.config.compose import variant_note
from sgad.config.plugins import CLASS_KEYS, without_folder
from sgad.config.run import RunConfig
from sgad.config.yaml_files import dump_yaml
from sgad.data.description import DatasetConfig, load_description
from sgad.errors import InputError
from sgad.images import Bytes, save_gif, save_grid
from sgad.machine.files import read_json, write_json, write_text
from sgad.models.draw import draw
from sgad.models.generators import Generator, Shape
from sgad.models.registry import load_generator
from sgad.models.rounding import Rounded, round_for_inputs
from sgad.models.storage import BITS as WIDE
from sgad.models.storage import pack
from sgad.names import label_of
from sgad.runs.record import FILE_NAME as RECORD
from sgad.runs.record import RunRecord, read_record
from sgad.runs.seeds import stream_seed
from sgad.sampling import recalibrate
from sgad.snn.recording import record_traces
from sgad.training.checkpoint import save_tensors
from sgad.zoo.manifest import write_manifest
from sgad.zoo.pretrained import Pretrained, load

PREVIEW_IMAGES = 32
COMPARED_IMAGES = 500
#: Latents whose spikes a matrix is rounded for.
ROUNDED_FOR = 2000
BITS = 4
PACKED_METRICS = "metrics-packed.json"


@dataclass(frozen=True)
class Change:
    """What rounding the weights did to images of the same latents, in grey levels of 255."""

    images: int
    mean: float
    at_most_one: float
    largest: int

    @classmethod
    def between(cls, before: Bytes, after: Bytes) -> "Change":
        """Compare two arrays of uint8 images."""
        difference = np.abs(before.astype(int) - after.astype(int))
        return cls(len(before), float(difference.mean()), float((difference <= 1).mean()), int(difference.max()))


def export_run(run: Path, out: Path, bits: int = BITS, packed_metrics: Path | None = None) -> Change:
    """Pack the generator of a finished run into `out` and write its card; say what the packing changed.

    The largest matrix of a built-in generator is rounded to `bits` for the spikes that it meets. `packed_metrics`, what
    `sgad measure` wrote of the packed model's own images, is on the card next to the run's measures. Batch norm statistics that
    the recipe re-estimates before sampling are re-estimated once, here.

    Raises
    ------
    InputError
        If the run has no generator or did not complete; or `out` is the run itself.
    """
    if out.resolve() == run.resolve():
        raise InputError(
            f"--out {out} is the run itself, whose weights would be replaced by rounded ones; give another folder"
        )
    record = read_record(run)
    if record.status != "completed":
        raise InputError(f"{run} is {record.status}; only a completed run goes into the zoo")
    generator, config, shape = load_generator(run)
    if config.sampling_statistics == "batch":
        raise InputError(f"{run} samples with each batch's own statistics; the zoo's models need running ones")
    before = load(run).sample(COMPARED_IMAGES)
    if config.sampling_statistics == "recalibrated":
        recalibrate(generator, config)
        config = config.model_copy(update={"sampling_statistics": "running"})
    # Where a class of one's own lies on the exporter's machine is of no use elsewhere: its file's name is enough.
    config = config.model_copy(update={key: without_folder(getattr(config, key)) for key in CLASS_KEYS})
    header = {"config": config.model_dump_json(), "shape": json.dumps(list(shape)), "sgad": __version__}
    tensors, rounded = _rounded(generator, config, bits)
    save_tensors(out / "generator.safetensors", pack(tensors, rounded), header)
    write_text(out / "config.yaml", dump_yaml(config.model_dump(mode="json")))
    shutil.copyfile(run / RECORD, out / RECORD)
    if (run / "metrics.json").is_file():
        write_json(out / "metrics.json", _without_place(run / "metrics.json"))
    packed = load(out)
    change = Change.between(before, packed.sample(COMPARED_IMAGES))
    preview = _draw_preview(out, packed)
    if packed_metrics is not None:
        write_json(out / PACKED_METRICS, _without_place(packed_metrics))
    card = _card(out, config, shape, record, change, preview, energy_of(run), bits if rounded else WIDE)
    write_text(out / "README.md", card)
    write_manifest(out)
    return change


def _rounded(generator: nn.Module, config: RunConfig, bits: int) -> tuple[dict[str, Tensor], dict[str, Rounded]]:
    """Weights of a generator, and its largest matrix rounded for spikes of fresh latents; of other classes, none."""
    tensors = dict(generator.state_dict())
    if not isinstance(generator, Generator) or config.neuron != "lif":
        return tensors, {}
    seed = stream_seed(config.dataset, config.seed, "rounding")
    z = torch.randn(ROUNDED_FOR, config.latent_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad(), record_traces(generator.eval()) as traces:
        draw(generator, z.to(tensors["linear2.weight"].dtype), config, torch.Generator().manual_seed(seed))
    spikes = traces["neurons1"].spikes.flatten(0, 1)
    found = round_for_inputs(tensors["linear2.weight"], spikes, bits)
    # What rounding adds to every image alike goes into the bias.
    lost = (tensors["linear2.weight"] - found.values()) @ spikes.mean(dim=0).to(tensors["linear2.weight"].dtype)
    tensors["linear2.bias"] = tensors["linear2.bias"] + lost
    return tensors, {"linear2.weight": found}


def _without_place(path: Path) -> dict[str, Any]:
    """Content of a metrics.json; where the samples lay on the exporter's machine is nobody's business."""
    measured = read_json(path)
    if not isinstance(measured, dict) or "metrics" not in measured:
        raise InputError(
            f"{path} is not what `sgad measure` writes; give the metrics.json of the packed model's images"
        )
    measured.get("samples", {}).pop("path", None)
    return measured


def _draw_preview(out: Path, packed: Pretrained) -> str:
    """Draw the first samples and return the picture's name; `sgad sample` writes grid.png and leaves this one."""
    images = packed.sample(PREVIEW_IMAGES)
    if images.ndim == 5:
        save_gif(out / "preview.gif", images.swapaxes(0, 1))
        return "preview.gif"
    save_grid(out / "preview.png", images / np.float32(255))
    return "preview.png"


def energy_of(run: Path) -> dict[str, float]:
    """What `sgad analyse --analyses energy` found for one image of the run's generator; empty if it did not run.

    synaptic_operations, multiply_accumulates, energy_nanojoule, analog_energy_nanojoule.
    """
    path = run / "analyses" / "energy.csv"
    if not path.is_file():
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("part") == "generator/all" and row.get("value")]
    return {row["quantity"]: float(row["value"]) for row in rows}


def _card(
    out: Path,
    config: RunConfig,
    shape: Shape,
    record: RunRecord,
    change: Change,
    preview: str,
    energy: dict[str, float],
    bits: int,
) -> str:
    data = _description(config.dataset)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template("card.md.j2").render(
        name=out.name,
        folder=f"zoo/{out.name}",
        model=label_of("model", config.model),
        shape=" x ".join(str(side) for side in shape),
        preview=preview,
        config=config,
        record=record,
        data=data,
        stands_for=label_of("dataset", data.substitute_for) if data and data.substitute_for else "",
        note=_note(config.variant),
        measures=_measures(out / "metrics.json"),
        # Two values compare only if their protocol is one.
        packed={(row["metric"], row["protocol"]): row["value"] for row in _measures(out / PACKED_METRICS)},
        bits=bits,
        energy=energy,
        change=change,
        megabytes=(out / "generator.safetensors").stat().st_size / 1e6,
    )


def _description(dataset: str) -> DatasetConfig | None:
    try:
        return load_description(dataset)
    except InputError:
        return None


def _note(variant: str) -> str:
    try:
        return variant_note(variant)
    except InputError:
        return ""


def _measures(path: Path) -> list[dict[str, Any]]:
    """Label, value, interval, n and protocol of each measure that was computed."""
    entries = read_json(path)["metrics"] if path.is_file() else []
    return [
        entry | {"label": metric_info(entry["metric"]).label, "decimals": metric_info(entry["metric"]).decimals}
        for entry in entries
        if entry.get("value") is not None
    ]
