"""CelebA as people have it: zip, folder or nested folder; splits from the official list or Kaggle's CSV."""

import re
from pathlib import Path

from sgad.data.description import DatasetConfig, fetch_again
from sgad.data.sources.base import RawData, RawSplit
from sgad.data.sources.folder import file_split
from sgad.data.sources.idx import check_content
from sgad.data.trees import Tree
from sgad.errors import InputError
from sgad.machine.stand_ins import looks_like_html, refuse_stand_in

_SPLIT_NAMES = {"0": "train", "1": "valid", "2": "test"}
_LISTS = ("list_eval_partition.txt", "list_eval_partition.csv")
_IMAGE = re.compile(r"(?:^|/)(\d{6})\.(?:jpg|jpeg|png)$", re.IGNORECASE)
#: What programs put between the two values of a line: blanks, commas, semicolons, tabs; and around them.
_BETWEEN = str.maketrans({",": " ", ";": " ", "\t": " ", '"': " ", "'": " "})


def read_celeba(root: Path, description: DatasetConfig) -> RawData | None:
    """The three splits of CelebA from a folder (or archive) and its partition list."""
    tree = Tree(root)
    listed = tree.named(*_LISTS)
    images = _images(tree)
    if images is None and listed is None:
        return None
    if listed is None:
        raise InputError(
            f"{root} lacks {_LISTS[0]} (or Kaggle's .csv), the list of the splits; {fetch_again(description)}"
        )
    if images is None:
        raise InputError(
            f"{root} has neither img_align_celeba.zip nor images 000001.jpg ...; {fetch_again(description)}"
        )
    content = tree.read(listed)
    partition = parse_partition(content, tree.label(listed), description)
    check_content(content, tree.label(listed), listed.rsplit("/", 1)[-1], description)
    source, names = images
    splits = _splits(source, names, partition, tree.label(listed), description)
    sizes = {listed: tree.sizes[listed]}
    if source == root:
        sizes |= {name: tree.sizes[name] for name in names.values()}
    else:
        sizes[source.relative_to(root).as_posix()] = source.stat().st_size
    notes = (f"{len(names)} images in {source}, splits from {tree.label(listed)}",)
    return RawData(root, splits, sizes, None, notes)


def _images(tree: Tree) -> tuple[Path, dict[str, str]] | None:
    """Where the images are (the tree itself or the zip inside it) and their paths by number."""
    names = _by_number(tree)
    if names:
        return tree.root, names
    archive = tree.named("img_align_celeba.zip", "celeba.zip", "celeba-dataset.zip")
    if archive is None:
        return None
    if tree.root.is_file():
        raise InputError(f"{tree.root} holds {archive}, a zip inside a zip; unpack the outer one")
    inner = Tree(tree.root / archive)
    return inner.root, _by_number(inner)


def _by_number(tree: Tree) -> dict[str, str]:
    matches = ((name, _IMAGE.search(name)) for name in tree.sizes)
    return {match.group(1): name for name, match in matches if match is not None}


def parse_partition(content: bytes, label: str, description: DatasetConfig) -> dict[str, str]:
    """The split of each image by its number, from `000001.jpg 0` lines or from a CSV with a header.

    Kaggle's CSV has commas; spreadsheets save semicolons or tabs, quotes, a byte order mark. The PNG edition has no list
    of its own: the official one names `.jpg`, so that the suffix does not count.
    """
    if looks_like_html(content):
        raise InputError(
            f"{label} is a web page, not the list of the splits; delete it, then {fetch_again(description)}"
        )
    refuse_stand_in(label, content[:1024])
    partition: dict[str, str] = {}
    for number, line in enumerate(_text(content).splitlines(), 1):
        words = line.translate(_BETWEEN).split()
        if not words or (number == 1 and len(words) == 2 and not words[1].isdigit()):
            continue
        if len(words) != 2 or words[1] not in _SPLIT_NAMES:
            raise InputError(
                f"{label} line {number} is {line[:60]!r}, `000001.jpg 0` (or 1, 2) expected; fetch the list again"
            )
        partition[words[0].rsplit(".", 1)[0]] = _SPLIT_NAMES[words[1]]
    if not partition:
        raise InputError(f"{label} lists no image; {fetch_again(description)}")
    return partition


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def _splits(
    source: Path, names: dict[str, str], partition: dict[str, str], label: str, description: DatasetConfig
) -> dict[str, RawSplit]:
    missing = sorted(set(partition) - set(names))
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} of the {len(partition)} images of {label}, the first is {missing[0]}.jpg, so it"
            f" is not whole; {fetch_again(description)}"
        )
    splits = {}
    for split in _SPLIT_NAMES.values():
        chosen = [names[name] for name, part in sorted(partition.items()) if part == split]
        if chosen:
            splits[split] = file_split(source, chosen, None, description)
    for split in ("train", "test"):
        if split not in splits:
            raise InputError(f"{label} assigns no image to the {split} split; fetch the list again")
    return splits
