"""What the paper claims of spiking GANs, measured: one module a claim, from a run folder to tidy rows and pictures."""
