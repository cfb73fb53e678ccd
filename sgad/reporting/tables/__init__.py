"""Tables of an experiment: one function each, from stored numbers to `Table`."""
