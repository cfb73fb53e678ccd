"""`python -m tests.config.store_hashes` adds the hashes of new configurations to hashes.json; stored ones never change."""

import json
from pathlib import Path

from sgad.config.compose import run_hash
from sgad.config.experiment import load_experiment

STORED = Path(__file__).with_name("hashes.json")


def shipped_hashes(configs: Path) -> dict[str, str]:
    """Hash of each dataset/model/variant of the experiments in a folder, with seed 0."""
    experiments = [load_experiment(path.stem) for path in sorted((configs / "experiments").glob("*.yaml"))]
    keys = {key._replace(seed=0) for experiment in experiments for key in experiment.run_keys()}
    return {"/".join(key[:3]): run_hash(key) for key in sorted(keys)}


if __name__ == "__main__":
    known = json.loads(STORED.read_text(encoding="utf-8"))
    every = shipped_hashes(Path("configs")) | known
    STORED.write_text(json.dumps(dict(sorted(every.items())), indent=0) + "\n", encoding="utf-8")
