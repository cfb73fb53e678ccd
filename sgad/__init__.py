"""Spiking generative adversarial networks, reproduced and compared.

Importing the package pulls in nothing heavy: each stage imports what it needs when it runs.
"""

__version__ = "0.1.0"
