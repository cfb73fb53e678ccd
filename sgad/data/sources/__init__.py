"""One reader per source: it looks at one folder or archive and returns its raw data, or None."""
