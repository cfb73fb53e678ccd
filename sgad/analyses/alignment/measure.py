"""Neural alignment: how alike a critic's layers and recorded neurons respond to the same images.

The paper says that its critics align better with the mouse's visual cortex than hybrids with an analog critic (Feng et al.
2024, arXiv:2305.10246, section 5). Four scores for each layer: representational similarity (RSA), centred kernel alignment
(CKA), SVCCA with chance taken off, and cross-validated regression on each neuron; with noise ceilings from repeats, and p
values from shuffled stimuli.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sgad.analyses.alignment.neurons import Neurons
from sgad.analyses.alignment.similarity import CEILINGS, MEASURES, Array, as_rows, noise_ceiling, permutation_test
from sgad.analyses.toolbox.findings import Finding, missing
from sgad.analyses.toolbox.material import Material
from sgad.analyses.toolbox.subject import Subject
from sgad.snn.activity import neuron_rates, record_activity

PERMUTATIONS = 199
BATCH = 50


def measure(material: Material) -> list[Finding]:
    """The findings of `sgad analyse`."""
    return analyse_alignment(material.subject, material.neurons)


def analyse_alignment(subject: Subject, neurons: Neurons) -> list[Finding]:
    """The alignment of every layer of a run's critic with recorded responses."""
    if subject.is_events:
        return [missing("alignment", "the critic sees event frames, the neurons saw pictures")]
    images = fit_stimuli(neurons.stimuli, subject.shape)
    layers = {"pixels": as_rows(images), **critic_responses(subject, images)}
    return alignment(layers, neurons)


def alignment(layers: Mapping[str, Array], neurons: Neurons, permutations: int = PERMUTATIONS) -> list[Finding]:
    """Compare each layer's responses (n, d) with the neurons'.

    Returns
    -------
    For each layer and measure its score; NAME_p, the p value; NAME_ceiling for those that have one. Of SVCCA the score has
    chance taken off: 0 by chance, 1 for the same responses.
    """
    marked = "SYNTHETIC neurons: " if neurons.is_synthetic else ""
    sets = f"{marked}{neurons.name}; {neurons.trials.shape[2]} neurons, {neurons.trials.shape[0]} repeats"
    n, found = len(neurons.stimuli), []
    for name, measure in MEASURES.items():
        protocol = f"{sets}; {_PROTOCOLS[name]}"
        if name in CEILINGS:
            found.append(_ceiling(name, neurons, protocol))
        for layer, responses in layers.items():
            tested = permutation_test(measure(responses, neurons.responses), permutations)
            value = tested.adjusted if name == "svcca" else tested.value
            found += [
                Finding(quantity=name, part=layer, value=value, n=n, protocol=protocol),
                Finding(
                    quantity=f"{name}_p",
                    part=layer,
                    value=tested.p,
                    n=n,
                    protocol=f"{protocol}; {permutations} permutations of the stimuli",
                ),
            ]
    return found


_PROTOCOLS = {
    "rsa": "Spearman correlation of 1 - correlation dissimilarities",
    "cka": "linear, unbiased HSIC",
    "svcca": "components of 99 % of the variance, at most n / 5; (mean correlation - chance) / (1 - chance)",
    "regression": "ridge, five folds of stimuli, median correlation over neurons",
}


def _ceiling(name: str, neurons: Neurons, protocol: str) -> Finding:
    quantity = f"{name}_ceiling"
    ceiling = noise_ceiling(neurons.trials, CEILINGS[name])
    if ceiling is None:
        return missing(quantity, "one repeat of each stimulus has no noise ceiling", protocol)
    return Finding(
        quantity=quantity,
        value=ceiling,
        n=len(neurons.stimuli),
        protocol=f"{protocol}; root of the split-half reliability of the mean (Spearman-Brown)",
    )


@torch.no_grad()
def critic_responses(subject: Subject, images: NDArray[np.float32]) -> dict[str, Array]:
    """Every neuron's mean activity over time (n, d) for images (n, C, H, W), by layer of the critic, and its score."""
    critic = subject.discriminator
    dtype = next(critic.parameters()).dtype
    scale = 2 if subject.config.pixel_range == "symmetric" else 1
    shown = torch.from_numpy(images * scale - (scale - 1)).to(subject.device, dtype)
    with record_activity(critic, keep_rates=True):
        scores = torch.cat([critic(part) for part in shown.split(BATCH)])
    layers = {name: as_rows(rates.cpu().numpy()) for name, rates in neuron_rates(critic).items()}
    return {**layers, "score": as_rows(scores.float().cpu().numpy())}


def fit_stimuli(stimuli: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Stimuli (n, H, W[, 3]) as a network takes them: the middle square, resized, grey or three channels."""
    channels, height, width = shape
    side = min(stimuli.shape[1:3])
    top, left = (stimuli.shape[1] - side) // 2, (stimuli.shape[2] - side) // 2
    square = stimuli[:, top : top + side, left : left + side]
    if square.ndim == 3:
        square = square[..., None]
    if channels == 1:
        square = square.mean(axis=3, keepdims=True)
    planes = np.broadcast_to(square, (*square.shape[:3], channels))
    resized = [[_resized(image[..., channel], height, width) for channel in range(channels)] for image in planes]
    return np.clip(np.array(resized, np.float32), 0, 1)


def _resized(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    if plane.shape == (height, width):
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)
