"""The system's Chromium without a screen, and a report to open in it."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sgad.images import save_gif
from sgad.reporting.regenerate import regenerate
from sgad.store.collect import collect
from tests.experiments import fake_experiment, write_fake

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# `make test` collects this folder, too, where the extra `browser` may be absent; only `make test-browser` runs it.
if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]

#: Where Chromium may be; $CHROMIUM overrides.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: As root there is no sandbox; the rest keeps Chromium from calling its makers.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


#: Milliseconds that a page may take to do what is expected of it.
PATIENCE = 120_000


@dataclass
class Visit:
    """An open page, and what it said and asked for since it was opened."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def find_chromium() -> str:
    """Return Chromium's path; whoever asks for these tests wants them run, so its absence is an error."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(f"no Chromium on PATH ({', '.join(NAMES)}); `apt install chromium`, or CHROMIUM=/path/to/it")
    return found


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a made-up experiment: 18 runs, two diverged, two missing, hostile names, one with a GIF."""
    root, experiment = tmp_path_factory.mktemp("browser"), fake_experiment()
    write_fake(root, experiment)
    frames = np.random.default_rng(0).integers(0, 256, (4, 3, 2, 28, 28), dtype=np.uint8)
    save_gif(root / "results/runs/mnist/sgad/quick/seed0/sample.gif", frames, columns=2, milliseconds=150)
    collect(experiment, root / "results", root / "data")
    return regenerate(experiment, root / "results")[-1]


@pytest.fixture(scope="session")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of 504 made-up runs: two data sets, three models, 84 seeds."""
    root, experiment = (
        tmp_path_factory.mktemp("large"),
        fake_experiment(seeds=tuple(range(84)), figures=("bars",)),
    )
    write_fake(root, experiment)
    collect(experiment, root / "results", root / "data")
    return regenerate(experiment, root / "results")[-1]


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: "Browser") -> Iterator["Opener"]:
    opener = Opener(browser)
    yield opener
    opener.close()


@pytest.fixture(scope="module")
def page(browser: "Browser", report: Path) -> Iterator["Page"]:
    """Return a page that the tests of a module share; each reloads it."""
    opener = Opener(browser)
    yield opener(report).page
    opener.close()


class Opener:
    """Opens files, each in a context of its own: no storage, no cache is shared between tests."""

    def __init__(self, browser: "Browser") -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []

    def __call__(self, path: Path, *, dark: bool = False, width: int = 1280) -> Visit:
        context = self.browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        # A busy machine is no reason to fail.
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(PATIENCE)
        self.contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.on("console", lambda message: visit.complaints.append(f"{message.type}: {message.text}"))
        visit.page.on("pageerror", lambda error: visit.complaints.append(f"uncaught: {error}"))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(path.resolve().as_uri())
        return visit

    def close(self) -> None:
        for context in self.contexts:
            context.close()
