"""Feature networks: uint8 images to feature vectors, their weights, and what was computed before."""
