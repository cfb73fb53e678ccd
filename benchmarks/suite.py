"""What benchmarks/RESULTS.md holds: its sections, the command behind each entry, and how one entry is replaced."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

ABSENT = "not yet measured"
TITLE = """\
# Benchmarks

Written by `python -m benchmarks` (`make bench`). An entry is measured by the command in it, on the machine named
there; `python -m benchmarks NAME...` measures sections or single entries again and leaves the others as they are. Seconds are
medians, with the range over repetitions in brackets.
"""


@dataclass(frozen=True)
class Entry:
    """One command of a section, `python -m benchmarks.MODULE ARGUMENTS`, run with `--markdown`."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    #: The authors' release has these networks, so that `--reference DIR` makes sense.
    has_reference: bool = False
    needs_cuda: bool = False

    def command(self, reference: str | None = None) -> list[str]:
        """Words after `python -m`."""
        words = [f"benchmarks.{self.module}", *self.arguments]
        return [*words, "--reference", reference] if reference and self.has_reference else words


@dataclass(frozen=True)
class Section:
    """Entries under one heading."""

    name: str
    about: str
    entries: tuple[Entry, ...]


def _step(name: str, case: str, *, reference: bool = True, cuda: bool = False) -> Entry:
    arguments = (*case.split(), *(("--device", "cuda") if cuda else ()))
    return Entry(name, "train_step", arguments, reference and not cuda, cuda)


_MNIST = "--dataset mnist --time-steps 16 --batch-size 64"
# Half the paper's batch: the step-by-step implementation alone would take 16 GB with 64 images.
_CELEBA = "--dataset celeba --time-steps 16 --batch-size 32 --repeats 3"
_NMNIST = "--dataset nmnist --time-steps 4 --batch-size 128"

SECTIONS = (
    Section(
        "train_step",
        "Seconds of one update pair (critic, then generator) and peak memory: the package's engine, the plain step-by-step"
        " implementation, the dense floor (the same convolutions and matrix products alone) and the authors' release, in one"
        " process and in turn; memory in a process each.",
        (
            _step("sgad_mnist", f"--model sgad {_MNIST}"),
            _step("sgan_mnist", f"--model sgan {_MNIST}"),
            _step("swgan_mnist", f"--model swgan {_MNIST}"),
            _step("sgad_celeba", f"--model sgad {_CELEBA}"),
            _step("swgan_celeba", f"--model swgan {_CELEBA}"),
            _step("hybrid_celeba", f"--model hybrid {_CELEBA}", reference=False),
            _step("sgad_nmnist", f"--model sgad {_NMNIST}"),
            _step("swgan_nmnist", f"--model swgan {_NMNIST}"),
            _step("sweep", "--model sgad --dataset mnist --batch-size 64 --sweep --repeats 3"),
        ),
    ),
    Section(
        "sample",
        "Images a second of a trained generator: batch norm folded, constant layers once, against the plain implementation.",
        tuple(
            Entry(f"{model}_mnist", "sample", tuple(f"--model {model} --dataset mnist --time-steps 16".split()))
            for model in ("sgad", "sgan", "swgan")
        ),
    ),
    Section(
        "frechet",
        "Trace of the root of the covariance product and whole distances, ours and the packages' own functions; CPU seconds"
        " of one thread.",
        (
            Entry("few_traces", "frechet", ("--sizes", "500", "--what", "trace")),
            Entry("few_distances", "frechet", ("--sizes", "500", "--what", "distance")),
            Entry("many_traces", "frechet", ("--sizes", "10000", "--what", "trace")),
            Entry("many_distances", "frechet", ("--sizes", "10000", "--what", "distance")),
        ),
    ),
    Section(
        "measure",
        "Whole passes from image files to FID, IS, KID, precision and recall with a random Inception network (the cost and"
        " the agreement are those of the published one; the values mean nothing); CPU seconds of one thread.",
        (Entry("pass", "measure", ("--num", "48")),),
    ),
    Section(
        "data",
        "Events decoded and denoised against tonic, conversion of CelebA's JPEGs, batches for the trainer.",
        (Entry("data", "data"),),
    ),
    Section(
        "workflow",
        "Planning of N runs by Snakemake, and finding that all of them are done.",
        (Entry("plan", "workflow"),),
    ),
    Section(
        "parallel",
        "Two trainings with different seeds side by side, one thread each, against one after the other with all cores.",
        (Entry("two_trainings", "parallel"),),
    ),
    Section(
        "gpu",
        "The same update pairs on a CUDA device; run where there is one (`make test-gpu` checks the results).",
        (
            _step("sgad_mnist", f"--model sgad {_MNIST}", cuda=True),
            _step("swgan_mnist", f"--model swgan {_MNIST}", cuda=True),
            _step("sgad_celeba", f"--model sgad {_CELEBA}", cuda=True),
            _step("swgan_nmnist", f"--model swgan {_NMNIST}", cuda=True),
            _step("sgad_mnist_tf32", f"--model sgad {_MNIST} --precision tf32", cuda=True),
            Entry("sample_sgad", "sample", ("--model", "sgad", "--device", "cuda"), needs_cuda=True),
            Entry("two_trainings", "parallel", ("--device", "cuda", "--steps", "100"), needs_cuda=True),
            Entry(
                "four_trainings", "parallel", ("--device", "cuda", "--count", "4", "--steps", "100"), needs_cuda=True
            ),
        ),
    ),
)


def entries() -> dict[str, Entry]:
    """Every entry by its name in full, `section/entry`."""
    return {f"{section.name}/{entry.name}": entry for section in SECTIONS for entry in section.entries}


def chosen_entries(names: list[str]) -> dict[str, Entry]:
    """Entries of the sections and of the single entries that are named; all if none is.

    Raises
    ------
    ValueError
        If a name is neither.
    """
    found = entries()
    for name in names:
        if name not in found and name not in {section.name for section in SECTIONS}:
            known = ", ".join(section.name for section in SECTIONS)
            raise ValueError(f"no benchmark is named {name!r}; use {known}, or one entry such as {next(iter(found))}")
    return {key: entry for key, entry in found.items() if not names or {key, key.partition("/")[0]} & set(names)}


def read_results(text: str) -> dict[str, str]:
    """The text of each entry of RESULTS.md, by its name in full."""
    parts = re.split(r"^### (\S+)$", re.sub(r"^## .*$", "### /", text, flags=re.MULTILINE), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {name: body.strip() for name, body in found.items() if name in entries()}


def render_results(results: Mapping[str, str]) -> str:
    """RESULTS.md with an entry for everything, measured or not yet."""
    blocks = [TITLE.strip()]
    for section in SECTIONS:
        blocks += [f"## {section.name}", section.about]
        for entry in section.entries:
            name = f"{section.name}/{entry.name}"
            command = f"`python -m {' '.join(entry.command())}`"
            blocks += [f"### {name}", results.get(name) or f"{command}: {ABSENT}."]
    return "\n\n".join(blocks) + "\n"
