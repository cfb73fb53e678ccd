"""Training: objectives, constraints, one update pair, the loop with its checkpoints and history."""
