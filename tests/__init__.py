"""Tests; a package of its own, because some distributions install a top-level `tests` that would hide it."""
