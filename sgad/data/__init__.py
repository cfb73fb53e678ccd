"""Data sets: descriptions, one reader per source, the prepared form, the loader, events. Imports no torch."""
