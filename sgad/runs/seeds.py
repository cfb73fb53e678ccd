"""Seeds derived from named axes, so that only what should change a draw changes it."""

import hashlib
import json


def stream_seed(*axes: str | int) -> int:
    """Return a 32-bit seed that depends on the named axes alone, in every process and on every machine.

    Models that share (data set, seed, "order") share the order of the data.
    """
    # hash() differs between processes; SHA-256 does not.
    return int.from_bytes(hashlib.sha256(json.dumps(axes).encode()).digest()[:4], "big")
