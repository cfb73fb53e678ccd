"""Spiking generative adversarial networks, reproduced and compared.

Importing the package pulls in nothing heavy: each stage imports what it needs when it runs.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sgad._version import __version__

if TYPE_CHECKING:
    from sgad.zoo.pretrained import Pretrained

__all__ = ["__version__", "load"]


def load(folder: Path | str) -> "Pretrained":
    """The trained generator of a zoo or run folder, ready to sample: `sgad.load("zoo/digits-sgad").sample(16)`."""
    from sgad.zoo.pretrained import load as load_pretrained

    return load_pretrained(folder)
