"""Attention scoring decoding: T frames become a running image, each new frame weighed against what is there already.

y[1] = x[1]; for t > 1: y[t] = y[t-1] + b (x[t] - y[t-1]), where b in [0, 1] comes from the scoring mode
(Feng et al. 2024, arXiv:2305.10246). Attention asks with y[t-1], as the code release does (`query="image"`), or with x[t],
as the paper's figure draws it (`query="frame"`).

What the modes project first is affine and the weights add up to 1, so the projection of y[t] is the same mixture of the
projections of the frames: all frames are projected in one call, and no y ever is.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sgad.errors import require_choice
from sgad.snn.layers import mix_frames

Weight = Callable[[Tensor, int], Tensor]
Layers = Mapping[str, nn.Linear]


@dataclass(frozen=True)
class Decoded:
    """Decoded images: `last` (B, F), all `steps` (T, B, F) if asked for, and the mode's own loss, if it has one.

    `shares` (T, B), kept with the steps, is the weight b[t] of each new frame; the first frame's is 1.
    """

    last: Tensor
    steps: Tensor | None
    extra_loss: Tensor | None
    shares: Tensor | None = None


def scoring_layers(mode: str, size: int) -> dict[str, nn.Linear]:
    """The layers of a scoring mode for frames of `size` = C*H*W values, in the release's order."""
    require_choice("scoring_mode", mode, _SIZES)
    return {name: nn.Linear(inputs or size, outputs) for name, (inputs, outputs) in _SIZES[mode].items()}


# Inputs and outputs of each layer; 0 inputs: the size of a frame.
_SIZES: dict[str, dict[str, tuple[int, int]]] = {
    "AttentionScoring_1": {"query": (0, 256), "key": (0, 256)},
    "AttentionScoring_RGB": {"embed": (0, 1024), "query": (1024, 256), "key": (1024, 256)},
    "ScoringNet_1": {"score1": (0, 256), "score2": (256, 1)},
    "AttentionScoring_2": {
        "query1": (0, 256),
        "query2": (256, 128),
        "key1": (0, 256),
        "key2": (256, 128),
        "project_image": (0, 64),
        "project_latent": (128, 64),
    },
    "none": {},
}


def decode(
    frames: Tensor,
    mode: str,
    layers: Layers,
    *,
    keep_steps: bool = False,
    query: str = "image",
    engine: str = "torch",
) -> Decoded:
    """Decode frames (T, B, F) by a scoring mode with its `layers`; `query`: "image" or "frame", for attention.

    `engine` names the kernel, where there is one for this mode and device.
    """
    losses: list[Tensor] = []
    projection, weight = _SCORERS[mode](layers, frames, losses, query == "frame")
    if mode == "AttentionScoring_1":
        mixed = mix_frames(frames, projection, engine, asks_frame=query == "frame", keep_steps=keep_steps)
        if mixed is not None:
            made, weights = mixed
            return Decoded(made[-1], made, None, weights) if keep_steps else Decoded(made, None, None)
    # Taken apart once: each index into the whole would cost a gradient of the whole.
    inputs, projected = frames.unbind(), projection.unbind()
    image, features = inputs[0], projected[0]
    images, shares = [image], [image.new_ones(image.shape[0], 1)]
    for step in range(1, len(inputs)):
        share = weight(features, step)
        features = torch.lerp(features, projected[step], share)
        image = torch.lerp(image, inputs[step], share)
        if keep_steps:
            images.append(image)
            shares.append(share.expand(image.shape[0], 1))
    extra_loss = torch.stack(losses).mean() if losses else None
    if not keep_steps:
        return Decoded(image, None, extra_loss)
    return Decoded(image, torch.stack(images), extra_loss, torch.stack(shares)[..., 0])


def _attention_share(query: Tensor, key_before: Tensor, key_new: Tensor) -> Tensor:
    """The softmax weight (B, 1) of the new frame among two keys, by scaled dot products."""
    difference = (query * (key_new - key_before)).sum(dim=-1, keepdim=True)
    # A softmax over two is a sigmoid of their difference.
    return torch.sigmoid(difference / math.sqrt(query.shape[-1]))


def _attention_1(layers: Layers, frames: Tensor, losses: list[Tensor], asks_frame: bool) -> tuple[Tensor, Weight]:
    query, key = layers["query"], layers["key"]
    width = query.out_features
    both = functional.linear(frames, torch.cat([query.weight, key.weight]), torch.cat([query.bias, key.bias]))

    new_queries, new_keys = both[..., :width].unbind(), both[..., width:].unbind()

    def weight(features: Tensor, step: int) -> Tensor:
        asking = new_queries[step] if asks_frame else features[:, :width]
        return _attention_share(asking, features[:, width:], new_keys[step])

    return both, weight


def _attention_rgb(layers: Layers, frames: Tensor, losses: list[Tensor], asks_frame: bool) -> tuple[Tensor, Weight]:
    query, key = layers["query"], layers["key"]
    width = query.out_features
    both_weight, both_bias = torch.cat([query.weight, key.weight]), torch.cat([query.bias, key.bias])
    projected = layers["embed"](frames)
    embedded = torch.relu(projected)
    new_keys = key(embedded).unbind()
    new_queries = query(embedded).unbind() if asks_frame else ()

    def weight(features: Tensor, step: int) -> Tensor:
        both = functional.linear(torch.relu(features), both_weight, both_bias)
        asking = new_queries[step] if asks_frame else both[:, :width]
        return _attention_share(asking, both[:, width:], new_keys[step])

    return projected, weight


def _scoring_net_1(layers: Layers, frames: Tensor, losses: list[Tensor], asks_frame: bool) -> tuple[Tensor, Weight]:
    score2 = layers["score2"]
    projected = layers["score1"](frames)
    new_scores = torch.sigmoid(score2(torch.relu(projected))).unbind()

    def weight(features: Tensor, step: int) -> Tensor:
        before = torch.sigmoid(score2(torch.relu(features)))
        share: Tensor = new_scores[step] / (before + new_scores[step])
        return share

    return projected, weight


def _attention_2(layers: Layers, frames: Tensor, losses: list[Tensor], asks_frame: bool) -> tuple[Tensor, Weight]:
    first = [layers[name] for name in ("query1", "key1", "project_image")]
    widths = [layer.out_features for layer in first]
    projected = functional.linear(
        frames, torch.cat([layer.weight for layer in first]), torch.cat([layer.bias for layer in first])
    )
    queries_hidden, keys_hidden, new_images = projected.split(widths, dim=-1)
    new_keys, images = layers["key2"](torch.relu(keys_hidden)).unbind(), new_images.unbind()
    new_queries = layers["query2"](torch.relu(queries_hidden)).unbind() if asks_frame else ()

    def weight(features: Tensor, step: int) -> Tensor:
        query_hidden, key_hidden, image = features.split(widths, dim=-1)
        query = new_queries[step] if asks_frame else layers["query2"](torch.relu(query_hidden))
        # The image that the query is made of, which its contrast must find.
        asked = images[step] if asks_frame else image
        key = layers["key2"](torch.relu(key_hidden))
        project = layers["project_latent"]
        queries = _info_nce(asked[None], project(query)[None])
        both_images = torch.stack([image, images[step]])
        both_keys = torch.stack([key, new_keys[step]])
        losses.append((queries + _info_nce(both_images, project(both_keys))) / 2)
        return _attention_share(query, key, new_keys[step])

    return projected, weight


def _info_nce(images: Tensor, latents: Tensor) -> Tensor:
    """Contrast projected latents with projected images (N, B, D) along the batch (van den Oord et al. 2018)."""
    scores = latents @ images.transpose(1, 2)
    positives = torch.arange(scores.shape[1], device=scores.device).repeat(len(scores))
    return functional.cross_entropy(scores.flatten(0, 1), positives)


def _plain_integration(layers: Layers, frames: Tensor, losses: list[Tensor], asks_frame: bool) -> tuple[Tensor, Weight]:
    half = frames.new_full((1, 1), 0.5)
    return frames[..., :0], lambda features, step: half


_SCORERS = {
    "AttentionScoring_1": _attention_1,
    "AttentionScoring_RGB": _attention_rgb,
    "ScoringNet_1": _scoring_net_1,
    "AttentionScoring_2": _attention_2,
    "none": _plain_integration,
}
