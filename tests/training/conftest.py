"""Prepared digits for trainings of a few steps."""

from pathlib import Path

import pytest

from sgad.data.description import load_description
from sgad.data.prepare import prepare


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the prepared digits."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    prepare(load_description("digits"), [], folder)
    return folder
