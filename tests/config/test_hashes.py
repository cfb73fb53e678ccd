"""The hashes of shipped configurations: stored runs and checkpoints carry them."""

import json
from pathlib import Path

from tests.config.store_hashes import STORED, shipped_hashes


def test_shipped_configurations_keep_their_hashes(repository: Path) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    now = shipped_hashes(repository / "configs")
    assert len(stored) >= 218
    changed = {name: (stored[name], now[name]) for name in stored if name in now and now[name] != stored[name]}
    assert changed == {}, "finished runs of these no longer belong to their configurations"
