"""The ways in which a stage may end other than well, each with its exit code.

The command line turns them into one sentence on standard error; library code raises them and prints nothing.
"""

import difflib
from collections.abc import Iterable

#: Characters of a message; what is quoted from a broken file may be a hundred times as long.
LONGEST = 2000


class SgadError(Exception):
    """Base of the errors that carry one sentence for the user."""

    exit_code = 1

    def __str__(self) -> str:
        """The message as one line of readable length, whatever it quotes of others' messages and files."""
        return shortened(" ".join(super().__str__().split()))


class InputError(SgadError):
    """Bad input: the sentence names the file or field, the value and the remedy. Exit code 2."""

    exit_code = 2


class RunFailure(SgadError):
    """A stage failed while it ran, for a reason that its input does not explain. Exit code 1."""

    exit_code = 1


class WriteFailure(RunFailure):
    """A file could not be written: disk full, quota, read-only folder. Says nothing about the run itself."""


class TakenOver(RunFailure):
    """Another process took the run folder while this one stood still. Whoever lost it writes nothing more into it."""


class Interrupted(SgadError):
    """A signal stopped the stage; the same command goes on where it stood. Exit code 130."""

    exit_code = 130


def one_line(error: Exception) -> str:
    """What an error says as one line; of errors that are not ours with their kind and the first line alone."""
    if isinstance(error, SgadError):
        return str(error)
    return shortened(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


def shortened(text: str) -> str:
    """The text with its middle left out where it is longer than LONGEST: a sentence ends with its remedy."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 400]} [... {len(text) - LONGEST + 100} characters ...] {text[-300:]}"


def nearest(word: str, choices: Iterable[str]) -> str:
    """Text such as ", did you mean 'x'?" for the nearest choice, or an empty string if none is near."""
    match = difflib.get_close_matches(word, sorted(choices), n=1, cutoff=0.5)
    return f", did you mean {match[0]!r}?" if match else ""


def require_choice(field: str, value: str, choices: Iterable[str]) -> str:
    """`value` if it is one of `choices`; raises InputError with the allowed ones otherwise."""
    allowed = sorted(choices)
    if value not in allowed:
        raise InputError(f"{field} must be one of {', '.join(allowed)}, got {value!r}{nearest(value, allowed)}")
    return value
