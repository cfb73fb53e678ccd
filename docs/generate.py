"""Parts of the pages that are made from the code while MkDocs builds them, and so cannot grow old.

A page asks for one with a line `<!-- generated: NAME -->`. MkDocs calls `on_config` and `on_page_markdown` (its "hooks").
"""

import inspect
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from torch import nn

from sgad.catalogue.metrics import known_metrics
from sgad.cli import COMMANDS, cli
from sgad.config.compose import resolve
from sgad.config.experiment import ExperimentConfig
from sgad.config.run import Quirks, RunConfig
from sgad.data.description import DatasetConfig
from sgad.models.discriminators import Discriminator, SganDiscriminator
from sgad.models.generators import Generator, SganGenerator, SwganGenerator
from sgad.models.registry import build_discriminator, build_generator
from sgad.names import label_of
from sgad.reporting.page.index import INDEX, write_reports
from sgad.store.stored import REFERENCE

#: Pictures that a page links to instead of holding them.
_LINKED = re.compile(r'src="([^":]+\.(?:webp|png|gif))"')
_MARKER = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)
#: Written by others at their own pace: in the menu once they exist.
_OPTIONAL = ("training.md", "reliability.md", "claims.md")


def on_config(config: Any) -> Any:
    """Drop the optional pages that do not exist from the menu."""
    docs = Path(config["docs_dir"])
    config["nav"] = [
        entry
        for entry in config["nav"]
        if not any(page in _OPTIONAL and not (docs / page).is_file() for page in _pages(entry))
    ]
    return config


def _pages(entry: Any) -> list[str]:
    return [page for page in entry.values() if isinstance(page, str)] if isinstance(entry, dict) else [entry]


def on_post_build(config: Any, **_: Any) -> None:
    """Put the pages of the reference and their index below reports/ of the site."""
    add_reports(Path(config["docs_dir"]).parent / "results" / REFERENCE, Path(config["site_dir"]) / "reports")


def add_reports(reference: Path, target: Path, names: Sequence[str] = ()) -> None:
    """Make the pages of the reference's experiments (all, or the named ones) in `target`, with the pictures that they link to.

    Own results of whoever builds the site are not shown.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        (results / REFERENCE).mkdir()
        for source in sorted(reference.iterdir()):
            if not names or source.name in names:
                (results / REFERENCE / source.name).symlink_to(source.resolve())
        write_reports((), results)
        for page in (results / INDEX, *sorted(results.glob("experiments/*/report.html"))):
            for name in (page.name, *_LINKED.findall(page.read_text(encoding="utf-8"))):
                place = Path(os.path.normpath(page.parent / name)).relative_to(results)
                (target / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(results / place, target / place)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the generated parts where a page asks for them."""
    return fill(markdown)


def fill(markdown: str) -> str:
    """Replace each marker by its part; an unknown name is an error."""
    return _MARKER.sub(lambda found: PARTS[found[1]](), markdown)


# ---- configuration


def configuration() -> str:
    """Return a table of the keys of a run's configuration for each section of the class."""
    sections: dict[str, list[str]] = {}
    for line in inspect.getsource(RunConfig).splitlines():
        if heading := re.match(r"    # --- (.+)", line):
            current = sections.setdefault(heading[1], [])
        elif (field := re.match(r"    (\w+):", line)) and field[1] in RunConfig.model_fields:
            current.append(field[1])
    tables = [f"### {name[0].upper()}{name[1:]}\n\n{_fields(RunConfig, keys)}" for name, keys in sections.items()]
    return "\n\n".join([*tables, "### Quirks of the release\n\n" + _fields(Quirks)])


def _fields(model: type[BaseModel], names: list[str] | None = None) -> str:
    schema = model.model_json_schema()
    rows = ["| key | values | default | meaning |", "|:--|:--|:--|:--|"]
    for name in names if names is not None else model.model_fields:
        field = model.model_fields[name]
        values = _values(schema["properties"][name], schema.get("$defs", {}))
        rows.append(f"| `{name}` | {_cell(values)} | {_cell(_default(field))} | {_cell(field.description or '')} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return the type and the limits of a JSON schema as a reader would say them."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _values(definitions[name], definitions) if "enum" in definitions[name] else f"a {name} block"
    if "anyOf" in schema:
        return " or ".join(_values(part, definitions) for part in schema["anyOf"])
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{choice}`" for choice in choices)
    if schema.get("type") == "array":
        inner = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
        return f"list of {_values(inner, definitions)}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:,}" for key, sign in signs.items() if key in schema]
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    kind = str(schema.get("type", "anything"))
    return " ".join([words.get(kind, kind), *([", ".join(limits)] if limits else [])])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "`none`"
    if value is None or value in ("", (), {}):
        return "–"
    return (
        f"`{list(value)}`"
        if isinstance(value, tuple)
        else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


# ---- commands


def commands() -> str:
    """Return the help of every subcommand."""
    parts = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for words, part in _leaves(command, (name,)):
            context = click.Context(
                part, info_name="sgad " + " ".join(words), max_content_width=100, terminal_width=100
            )
            parts.append(f"## sgad {' '.join(words)}\n\n```text\n{part.get_help(context)}\n```")
    return "\n\n".join(parts)


def _leaves(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name in command.list_commands(click.Context(command)):
        part = command.get_command(click.Context(command), name)
        assert part is not None
        yield from _leaves(part, (*words, name))


# ---- networks


def generator_nodes(model: str, dataset: str, shape: tuple[int, int, int]) -> list[str]:
    """Return the boxes of a generator's chart, read from its modules, with the shape and weights of each layer."""
    config = resolve(dataset, model).config
    network = build_generator(config, shape)
    assert isinstance(network, Generator)
    steps = config.time_steps
    nodes = [f"z, {config.latent_dim} values, the same at all {steps} steps"]
    height, width = network.base
    fed = [block.synapse for block in network.blocks() if block.synapse is not None]
    # The last one makes the pixels.
    for index, layer in enumerate((network.linear1, *fed[:-1]), start=1):
        size = _out(layer, (height * 2 ** max(index - 2, 0), width * 2 ** max(index - 2, 0)))
        nodes.append(_node(layer, f"{size}, norm per step, LIF"))
    nodes.append(_node(network.last_deconv, " x ".join(map(str, shape))))
    nodes.append(_head(network, config))
    return [*nodes, "image" if shape[0] != 2 else f"{steps} event frames"]


def _head(network: Generator, config: RunConfig) -> str:
    if isinstance(network, SganGenerator):
        return "LIF: spikes, shown as their mean over time"
    if isinstance(network, SwganGenerator):
        return "leaky integrator, then sigmoid"
    weights = sum(part.numel() for part in network.parameters()) - sum(
        part.numel() for name, part in network.named_parameters() if name.startswith(("linear", "norm", "deconv"))
    )
    return f"sigmoid of each step, {config.scoring_mode} over time, {weights:,} weights"


def discriminator_nodes(model: str, dataset: str, shape: tuple[int, int, int]) -> list[str]:
    """Return the boxes of a critic's chart, read from its modules."""
    config = resolve(dataset, model).config
    network = build_discriminator(config, shape)
    unit = "LeakyReLU" if config.discriminator == "analog" else "LIF"
    readout = (
        "score"
        if config.discriminator == "analog"
        else f"leaky integrator; score m[{config.time_steps}] / {config.time_steps}"
    )
    first = f"image, {' x '.join(map(str, shape))}"
    if isinstance(network, SganDiscriminator):
        inner = [_node(network.linear1, f"400, {unit}")]
    else:
        assert isinstance(network, Discriminator)
        sides = [(side - 4) // 2 for side in shape[1:]], [((side - 4) // 2 - 4) // 2 for side in shape[1:]]
        inner = [
            _node(layer, f"{layer.out_channels} x {rows} x {columns}, norm per step, {unit}, pooled by 2")
            for layer, (rows, columns) in zip((network.conv1, network.conv2), sides, strict=True)
        ]
        inner.append(_node(network.linear1, f"{network.linear1.out_features}, {unit}"))
    return [first, *inner, _node(network.linear2, readout)]


def _out(layer: nn.Module, size: tuple[int, int]) -> str:
    if isinstance(layer, nn.Linear):
        return str(layer.out_features)
    assert isinstance(layer, nn.ConvTranspose2d)
    return f"{layer.out_channels} x {size[0]} x {size[1]}"


def _node(layer: nn.Module, after: str) -> str:
    kinds = {nn.Linear: "linear", nn.Conv2d: "convolution 5x5", nn.ConvTranspose2d: "deconvolution 4x4, stride 2"}
    weights = sum(part.numel() for part in layer.parameters())
    return f"{kinds[type(layer)]}<br>{after}<br>{weights:,} weights"


def _chart(columns: dict[str, list[str]]) -> str:
    """Return a Mermaid flow chart: one column of boxes a network."""
    lines = []
    # Mermaid places the last column leftmost.
    for number, (title, nodes) in enumerate(reversed(columns.items())):
        names = [f"n{number}_{index}" for index in range(len(nodes))]
        boxes = [f'        {name}["{text}"]' for name, text in zip(names, nodes, strict=True)]
        lines += [
            f'    subgraph g{number}["{title}"]',
            "        direction TB",
            *boxes,
            f"        {' --> '.join(names)}",
            "    end",
        ]
    # Columns are drawn by themselves, and otherwise as wide as their longest word.
    setting = '%%{init: {"flowchart": {"wrappingWidth": 230, "nodeSpacing": 20, "rankSpacing": 24, "padding": 6}}}%%'
    return "\n".join(["```mermaid", setting, "flowchart TD", *lines, "```"])


def networks() -> str:
    """Return the charts of every model of the paper on 28 x 28 grey images, and of others where they differ."""
    grey, colour, events = (1, 28, 28), (3, 64, 64), (2, 28, 28)
    charts = {
        "Generators, 28 x 28 grey images": {
            label_of("model", model): generator_nodes(model, "mnist", grey) for model in ("sgan", "swgan", "sgad")
        },
        "Critics": {
            "SWGAN and SGAD, 28 x 28": discriminator_nodes("sgad", "mnist", grey),
            "SGAN, 28 x 28": discriminator_nodes("sgan", "mnist", grey),
            "Hybrid, 64 x 64": discriminator_nodes("hybrid", "celeba", colour),
        },
        "SGAD's generator on other data": {
            "CelebA": generator_nodes("sgad", "celeba", colour),
            "CIFAR-10 (our extension)": generator_nodes("sgad", "cifar10", (3, 32, 32)),
            "N-MNIST": generator_nodes("sgad", "nmnist", events),
        },
    }
    return "\n\n".join(f"### {title}\n\n{_chart(columns)}" for title, columns in charts.items())


# ---- measures


def measures() -> str:
    """Return a table of every measure's key, label and direction."""
    rows = ["| key | in tables | better |", "|:--|:--|:--|"]
    rows += [
        f"| `{key}` | {info.label} | {'higher' if info.higher_is_better else 'lower'} |"
        for key, info in known_metrics().items()
    ]
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "dataset": lambda: _fields(DatasetConfig),
    "experiment": lambda: _fields(ExperimentConfig),
    "commands": commands,
    "networks": networks,
    "measures": measures,
}
