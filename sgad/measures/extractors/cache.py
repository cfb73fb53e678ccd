"""Features kept on disk, found by content: pixels, weights and protocol are hashed, never a name."""

import hashlib
import json
from pathlib import Path

import numpy as np

from sgad.errors import SgadError
from sgad.machine.files import DAMAGED_ARRAY, write_npz
from sgad.measures.extractors.features import Extractor, Features

#: Raised when the way from pixels to features changes without its protocol text changing.
FORMAT = 1


def cache_key(extractor: Extractor, content_hash: str) -> str:
    """The key of one set of images seen by one network in one way."""
    parts = [FORMAT, content_hash, extractor.sha256, extractor.protocol]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key[:40]}.npz"


def _checksum(features: Features, key: str) -> str:
    digest = hashlib.sha256(key.encode())
    for array in (features.values, features.logits):
        if array is not None:
            digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def load_features(folder: Path, key: str) -> Features | None:
    """The features stored under a key; None if there are none, or what is there is damaged."""
    try:
        with open(_path(folder, key), "rb") as file, np.load(file, allow_pickle=False) as archive:
            logits = np.asarray(archive["logits"])
            features = Features(np.asarray(archive["values"]), logits if logits.size else None)
            checksum = str(archive["checksum"])
    except DAMAGED_ARRAY:
        return None
    # Damage that the archive's own checksums miss, and entries of another key under this name.
    return features if checksum == _checksum(features, key) else None


def store_features(folder: Path, key: str, features: Features) -> bool:
    """Store features under a key; return False where the folder cannot be written, which costs only time."""
    logits = features.logits if features.logits is not None else np.zeros((0, 0), np.float32)
    try:
        write_npz(
            _path(folder, key),
            values=features.values,
            logits=logits,
            checksum=np.array(_checksum(features, key)),
        )
    except SgadError:
        return False
    return True
