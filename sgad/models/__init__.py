"""The networks of the paper: generators, decoding, discriminators, and their registry."""
