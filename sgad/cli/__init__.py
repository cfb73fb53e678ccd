"""The `sgad` command: one subcommand a stage. Each imports its stage when it runs, so that `--help` is instant."""

import contextlib
import errno
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import click

from sgad._version import __version__
from sgad.cli.missing import missing_package
from sgad.errors import SgadError, shortened
from sgad.machine.memory import let_threads_sleep
from sgad.machine.signals import signals_interrupt

#: Subcommand -> (module, function, one line for --help).
COMMANDS = {
    "dataset": ("sgad.cli.data", "dataset", "Check or show a data set."),
    "prepare": ("sgad.cli.data", "prepare", "Turn raw files into arrays and a manifest."),
    "classifier": ("sgad.cli.measuring", "classifier", "Train the small classifiers that cfd and ccs use."),
    "baselines": (
        "sgad.cli.measuring",
        "baselines",
        "Measure real data, noise and a copy of the training set.",
    ),
    "train": ("sgad.cli.running", "train", "Train one run; the same command resumes it."),
    "sample": ("sgad.cli.running", "sample", "Draw images from a trained generator."),
    "export": ("sgad.cli.running", "export", "Pack a trained run for the model zoo, with its card."),
    "zoo": ("sgad.cli.zoo", "zoo", "List trained generators, get one, add one."),
    "measure": ("sgad.cli.measuring", "measure", "Compare images with a reference: FID, IS, KID, CFD, ..."),
    "neurons": ("sgad.cli.analysing", "neurons", "Make up neurons that respond to a data set's images."),
    "analyse": ("sgad.cli.analysing", "analyse", "Look at a trained run: domain gap, energy, alignment, ..."),
    "collect": ("sgad.cli.reporting", "collect", "Gather the runs of an experiment into metrics.csv."),
    "tables": ("sgad.cli.reporting", "tables", "Write an experiment's tables (CSV, Markdown, LaTeX)."),
    "figures": ("sgad.cli.reporting", "figures", "Draw an experiment's figures (SVG, PNG)."),
    "report": ("sgad.cli.reporting", "report", "Write an experiment's report.html."),
    "regenerate": ("sgad.cli.reporting", "regenerate", "Tables, figures and report from stored results."),
    "reports": ("sgad.cli.reference", "reports", "The pages of all stored experiments, and one index page."),
    "verify": (
        "sgad.cli.reference",
        "verify",
        "Compare own results with the reference that comes with the repository.",
    ),
    "publish": ("sgad.cli.reference", "publish", "Make own, finished results the reference."),
    "halve": ("sgad.cli.reporting", "halve", "Write the next experiment of a search by successive halving."),
    "status": ("sgad.cli.overview", "status", "Show every run of an experiment: progress, speed, failures."),
    "audit": ("sgad.cli.overview", "audit", "Check that every stored number follows from its run, config and data."),
    "config": ("sgad.cli.configuration", "config", "Show or check configurations."),
    "doctor": ("sgad.cli.overview", "doctor", "Check this machine and estimate what an experiment costs."),
}


class _LazyGroup(click.Group):
    """A group whose subcommands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Stages and tools"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sgad")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--plugin",
    "plugins",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Python file with analyses, tables or figures of your own; may be repeated.  [also: $SGAD_PLUGINS]",
)
def cli(debug: bool, plugins: tuple[Path, ...]) -> None:
    """Train, measure and compare spiking generative adversarial networks.

    The stages, in order: prepare, train, sample, measure, analyse, collect, tables, figures, report. Each reads files and writes
    files; `snakemake --config experiment=NAME` calls them in order for a whole experiment.

    Exit codes: 0 done, 1 failed while running, 2 bad input, 130 interrupted (the same command goes on).
    """
    if plugins:
        from sgad.catalogue.discovery import add_plugins

        add_plugins(plugins)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # --debug is understood wherever it stands.
    words = [word for word in words if word != "--debug"]
    # No stage has imported torch yet.
    let_threads_sleep()
    sys.exit(_run(words, debug))


def _run(words: list[str], debug: bool) -> int:
    try:
        with signals_interrupt(), warnings.catch_warnings():
            if not debug:
                # Of odd image files Pillow's warnings name neither the file nor a remedy; what matters is refused.
                warnings.filterwarnings("ignore", module=r"PIL\.")
            cli.main(words, prog_name="sgad", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 0 if not words else 2
    except click.ClickException as error:
        hint = getattr(error, "ctx", None)
        _complain(f"{error.format_message()}{_see_help(hint)}")
        return 2
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted; the same command goes on where it stood")
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except SgadError as error:
        if debug:
            raise
        _complain(str(error))
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        _complain(_unexpected(error))
        return 2 if isinstance(error, ModuleNotFoundError) or _is_long_name(error) else 1
    return 0


def _complain(sentence: str) -> None:
    # The log may lie on the very disk that is full; the exit code says the rest.
    with contextlib.suppress(OSError):
        print(f"sgad: {shortened(sentence)}", file=sys.stderr, flush=True)


def _see_help(context: click.Context | None) -> str:
    return f" (see `{context.command_path} --help`)" if context is not None else ""


def _is_long_name(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG


def _unexpected(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return missing_package(str(error.name))
    if _is_long_name(error):
        return "a name given here is too long for a file; check the arguments"
    if isinstance(error, MemoryError):
        return "this machine has too little memory for that; use a smaller batch_size or --set memory=low"
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    ):
        place = f" {error.filename}" if error.filename else ""
        return f"cannot read or write{place}: {error.strerror}; fix that, then the same command goes on"
    first = (str(error).splitlines() or [""])[0]
    return f"unexpected {type(error).__name__}: {first}; repeat the command with --debug and report it"
