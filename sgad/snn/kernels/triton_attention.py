"""The loop of attention scoring decoding on CUDA by Triton: all steps in one launch forward and one backward.

A program has one image: its running mixture y of the frames x, and the same mixture (q, k) of the frames' projections.
y[1] = x[1]; then b[t] = sigmoid(q . (k_x[t] - k[t-1]) / sqrt(width)) and y[t] = y[t-1] + b[t] (x[t] - y[t-1]), where q is
the mixture's query or the new frame's. `sgad.models.decoding` is the definition.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Pixels of an image that one program can hold.
LARGEST = 8192
_jit: Any = triton.jit


@_jit
def attention_forward(
    frames, projected, images, features, shares, batch, size, width, steps,
    root: tl.constexpr, ASKS_FRAME: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr
):  # fmt: skip
    """Mix frames (T, B, size) and projections (T, B, 2 width): all states, and the shares (T, B) of the new frames."""
    image = tl.program_id(0)
    pixel, unit = image * size + tl.arange(0, SIZE), image * 2 * width + tl.arange(0, WIDTH)
    seen, used = tl.arange(0, SIZE) < size, tl.arange(0, WIDTH) < width
    y = tl.load(frames + pixel, mask=seen, other=0.0)
    q = tl.load(projected + unit, mask=used, other=0.0)
    k = tl.load(projected + width + unit, mask=used, other=0.0)
    tl.store(images + pixel, y, mask=seen)
    tl.store(features + unit, q, mask=used)
    tl.store(features + width + unit, k, mask=used)
    tl.store(shares + image, 1.0)
    for _ in range(steps - 1):
        frames, projected = frames + batch * size, projected + batch * 2 * width
        images, features, shares = images + batch * size, features + batch * 2 * width, shares + batch
        new_q = tl.load(projected + unit, mask=used, other=0.0)
        new_k = tl.load(projected + width + unit, mask=used, other=0.0)
        asking = new_q if ASKS_FRAME else q
        score = tl.sum(asking * (new_k - k), axis=0)
        share = 1.0 / (1.0 + tl.exp(-score / root))
        q += share * (new_q - q)
        k += share * (new_k - k)
        y += share * (tl.load(frames + pixel, mask=seen, other=0.0) - y)
        tl.store(images + pixel, y, mask=seen)
        tl.store(features + unit, q, mask=used)
        tl.store(features + width + unit, k, mask=used)
        tl.store(shares + image, share)


@_jit
def attention_backward(
    frames, projected, images, features, shares, to_images, to_frames, to_projected, batch, size, width, steps,
    root: tl.constexpr, ASKS_FRAME: tl.constexpr, KEEP: tl.constexpr, SIZE: tl.constexpr, WIDTH: tl.constexpr
):  # fmt: skip
    """Take the gradient of the last image (B, size), or with KEEP of all (T, B, size), back to frames and projections."""
    image = tl.program_id(0)
    pixel, unit = image * size + tl.arange(0, SIZE), image * 2 * width + tl.arange(0, WIDTH)
    seen, used = tl.arange(0, SIZE) < size, tl.arange(0, WIDTH) < width
    row, both = batch * size, batch * 2 * width
    for _ in range(steps - 1):
        frames, images, to_frames = frames + row, images + row, to_frames + row
        projected, features, to_projected = projected + both, features + both, to_projected + both
        shares += batch
        if KEEP:
            to_images += row
    to_y = tl.load(to_images + pixel, mask=seen, other=0.0)
    to_q, to_k = tl.zeros((WIDTH,), to_y.dtype), tl.zeros((WIDTH,), to_y.dtype)
    for _ in range(steps - 1):
        images, features = images - row, features - both
        share = tl.load(shares + image)
        new_q = tl.load(projected + unit, mask=used, other=0.0)
        new_k = tl.load(projected + width + unit, mask=used, other=0.0)
        q = tl.load(features + unit, mask=used, other=0.0)
        k = tl.load(features + width + unit, mask=used, other=0.0)
        away = tl.load(frames + pixel, mask=seen, other=0.0) - tl.load(images + pixel, mask=seen, other=0.0)
        to_share = tl.sum(to_y * away, axis=0) + tl.sum(to_q * (new_q - q) + to_k * (new_k - k), axis=0)
        to_score = to_share * share * (1.0 - share) / root
        tl.store(to_frames + pixel, to_y * share, mask=seen)
        to_new_q, to_new_k = to_q * share, to_k * share
        to_y, to_q, to_k = to_y - to_y * share, to_q - to_new_q, to_k - to_new_k
        if ASKS_FRAME:
            to_new_q += to_score * (new_k - k)
            to_new_k += to_score * new_q
            to_k -= to_score * new_q
        else:
            to_q += to_score * (new_k - k)
            to_new_k += to_score * q
            to_k -= to_score * q
        tl.store(to_projected + unit, to_new_q, mask=used)
        tl.store(to_projected + width + unit, to_new_k, mask=used)
        frames, to_frames, shares = frames - row, to_frames - row, shares - batch
        projected, to_projected = projected - both, to_projected - both
        if KEEP:
            to_images -= row
            to_y += tl.load(to_images + pixel, mask=seen, other=0.0)
    tl.store(to_frames + pixel, to_y, mask=seen)
    tl.store(to_projected + unit, to_q, mask=used)
    tl.store(to_projected + width + unit, to_k, mask=used)


class _Mixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, frames: Tensor, projected: Tensor, asks_frame: bool, keep_steps: bool
    ) -> tuple[Tensor, Tensor]:
        images, features = torch.empty_like(frames), torch.empty_like(projected)
        shares = frames.new_empty(frames.shape[:2])
        ctx.asks_frame, ctx.keep_steps = asks_frame, keep_steps
        attention_forward[(frames.shape[1],)](
            frames, projected, images, features, shares, *_numbers(frames, projected), ASKS_FRAME=asks_frame,
            **_constants(frames, projected),
        )  # fmt: skip
        ctx.save_for_backward(frames, projected, images, features, shares)
        ctx.mark_non_differentiable(shares)
        return (images if keep_steps else images[-1].clone()), shares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_images: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        frames, projected, images, features, shares = ctx.saved_tensors
        to_frames, to_projected = torch.empty_like(frames), torch.empty_like(projected)
        attention_backward[(frames.shape[1],)](
            frames, projected, images, features, shares, to_images.contiguous(), to_frames, to_projected,
            *_numbers(frames, projected), ASKS_FRAME=ctx.asks_frame, KEEP=ctx.keep_steps, **_constants(frames, projected),
        )  # fmt: skip
        return to_frames, to_projected, None, None


def _numbers(frames: Tensor, projected: Tensor) -> tuple[int, int, int, int]:
    steps, batch, size = frames.shape
    return batch, size, projected.shape[-1] // 2, steps


def _constants(frames: Tensor, projected: Tensor) -> dict[str, Any]:
    size, width = frames.shape[-1], projected.shape[-1] // 2
    # 16 pixels a thread fit its registers four times over.
    warps = 4 if size <= LARGEST // 4 else 16
    padded = triton.next_power_of_2(size), triton.next_power_of_2(width)
    return {"root": width**0.5, "SIZE": padded[0], "WIDTH": padded[1], "num_warps": warps}


def mix_frames(frames: Tensor, projected: Tensor, *, asks_frame: bool, keep_steps: bool) -> tuple[Tensor, Tensor]:
    """Mix frames (T, B, F), whose queries and keys are `projected` (T, B, 2 W); the last image (B, F) and shares (T, B).

    With `keep_steps`, the images of all steps (T, B, F). Shares carry no gradient.
    """
    return _Mixture.apply(frames.contiguous(), projected.contiguous(), asks_frame, keep_steps)  # type: ignore[no-any-return]
