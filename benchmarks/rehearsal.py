"""Run `paper` with nothing left out but its size, and the analyses on some of its runs: `make rehearsal FROM=DIR`.

Interrupted, the same command goes on where it stood.

`python -m benchmarks.rehearsal --from DIR [--folder build/rehearsal] [--cores 2] [--small]`

DIR holds MNIST, FashionMNIST and CIFAR-10 as `sgad prepare` takes them, and the folder `faces` (docs/adding-a-dataset.md). Made
here, each marked in every caption: CelebA's archive and list in the official form, of portraits; N-MNIST's two archives in the
official form, of simulated recordings; a random-weight file in Inception's place, whose values are never called FID.
"""

import argparse
import os
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from benchmarks.random_inception import digits, write_random_inception

EXPERIMENTS = ("paper_rehearsal", "paper_rehearsal_analyses")
#: As many of the reference as generated ones, and as many as the analyses need.
TRAIN, TEST = 64, 20
#: Of CelebA in the official form: pixels, images of each split, the split's number in the list.
CELEBA_SIZE = (178, 218)
CELEBA_SPLITS = ((TRAIN, 0), (TEST, 1), (TEST, 2))
#: What stays of a shipped description of a data set; where files come from and their checksums do not.
LEFT_OUT = ("files", "downloads", "manual", "counts")
REAL = ("mnist", "fashion_mnist", "cifar10")
NOTES = {
    "celeba": "portraits in CelebA's official archive form, not CelebA",
    "nmnist": "simulated recordings in N-MNIST's official archive form, not N-MNIST",
}


def fabricate_celeba(portraits: Path, folder: Path) -> None:
    """Write img_align_celeba.zip (JPEGs of 178x218, RGB) and list_eval_partition.txt, of portraits in their order."""
    paths = sorted(portraits.rglob("*.pgm"))
    wanted = sum(count for count, _ in CELEBA_SPLITS)
    if len(paths) < wanted:
        raise SystemExit(f"rehearsal: {portraits} holds {len(paths)} portraits, {wanted} are needed")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [number for count, number in CELEBA_SPLITS for _ in range(count)]
    # One of each person in turn, so that no split is one person.
    chosen = sorted(paths, key=lambda path: (path.stem.zfill(3), path.parent.name))[:wanted]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w", zipfile.ZIP_STORED) as archive:
        for index, path in enumerate(chosen, 1):
            content = BytesIO()
            with Image.open(path) as image:
                image.convert("RGB").resize(CELEBA_SIZE, Image.Resampling.BICUBIC).save(content, "JPEG", quality=95)
            archive.writestr(f"img_align_celeba/{index:06d}.jpg", content.getvalue())
    lines = [f"{index:06d}.jpg {number}\n" for index, number in enumerate(numbers, 1)]
    (folder / "list_eval_partition.txt").write_text("".join(lines))


def fabricate_nmnist(mnist: Path, folder: Path) -> None:
    """Write Train.zip and Test.zip of simulated recordings of a prepared MNIST."""
    from sgad.data.events.simulator import write_recordings
    from sgad.data.prepared import load_prepared

    write_recordings(load_prepared(mnist), folder, {"train": TRAIN, "test": TEST}, zipped=True)


def write_descriptions(folder: Path) -> None:
    """Write the shipped descriptions of the five data sets, cut to a few images; what is made here says so."""
    from sgad.config.paths import SHIPPED

    folder.mkdir(parents=True, exist_ok=True)
    for name in (*REAL, *NOTES):
        content: dict[str, Any] = yaml.safe_load((SHIPPED[0] / "datasets" / f"{name}.yaml").read_text())
        content = {key: value for key, value in content.items() if key not in LEFT_OUT}
        content["max_samples"] = {"train": TRAIN, "test": TEST}
        if name == "celeba":
            content["max_samples"]["valid"] = TEST
        if name in NOTES:
            content |= {"caption_note": NOTES[name], "simulated": True}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def link_real(given: Path, raw: Path) -> None:
    """Link what is there into one folder, next to what is made here."""
    raw.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.resolve().iterdir()):
        target = raw / path.name
        if path.name.lower() not in ("celeba", "nmnist") and not target.exists():
            target.symlink_to(path)


def prepare(given: Path, folder: Path) -> dict[str, str]:
    """Make data, descriptions and weights below `folder`; the environment in which sgad finds them."""
    link_real(given, folder / "raw")
    write_descriptions(folder / "configs" / "datasets")
    weights = folder / "random-inception.pth"
    if not weights.is_file():
        write_random_inception(weights, digits(48))
    environment = os.environ | {
        "SGAD_CONFIGS": str((folder / "configs").resolve()),
        "SGAD_INCEPTION_WEIGHTS": str(weights.resolve()),
    }
    fabricate_celeba(given / "faces", folder / "raw" / "celeba")
    if not (folder / "raw" / "NMNIST" / "Test.zip").is_file():
        mnist = folder / "mnist"
        run([sys.executable, "-m", "sgad", "prepare", "mnist", "--from", str(given), "--out", str(mnist)], environment)
        fabricate_nmnist(mnist, folder / "raw" / "NMNIST")
    return environment


def rehearse(experiment: str, folder: Path, environment: dict[str, str], cores: int) -> Path:
    """Run one experiment as a user does; the path of its report."""
    settings = [f"{key}={folder / key}" for key in ("data", "results")]
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        str(cores),
        "--quiet",
        "host",
        "progress",
        "reason",
        "rules",
    ]
    command += ["--config", f"experiment={experiment}", f"from={folder / 'raw'}", *settings]
    run(command, environment)
    return folder / "results" / "experiments" / Path(experiment).stem / "report.html"


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command; end with its exit code if it fails."""
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise SystemExit(code)


def smaller(experiment: str, folder: Path) -> str:
    """A copy of an experiment with one data set, two models and one seed, for the slow tests; its path."""
    from sgad.config.paths import find_config

    content = yaml.safe_load(find_config("experiments", experiment).read_text())
    variant = content["runs"][0]["variants"][:1]
    content["runs"] = [
        {"datasets": ["celeba"], "models": ["sgad"], "variants": variant, "seeds": [0]},
        {"datasets": ["nmnist"], "models": ["sgan"], "variants": variant, "seeds": [0]},
    ]
    path = folder / "experiments" / f"{experiment}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)


def main() -> None:
    """Make what is missing, run both experiments, say where the pages are and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="given", type=Path, default=Path("data/raw"))
    parser.add_argument("--folder", type=Path, default=Path("build/rehearsal"))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="two runs instead of eighty, without the analyses")
    options = parser.parse_args()
    begun = time.monotonic()
    environment = prepare(options.given, options.folder)
    names = [smaller(EXPERIMENTS[0], options.folder)] if options.small else list(EXPERIMENTS)
    for name in names:
        print(f"the report is ready: {rehearse(name, options.folder, environment, options.cores)}")
    print(f"{(time.monotonic() - begun) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
