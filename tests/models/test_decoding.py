"""Scoring modes: what must hold for each."""

import pytest
import torch

from sgad.errors import InputError
from sgad.models.decoding import decode, scoring_layers
from tests.plain import PlainGenerator

MODES = ("AttentionScoring_1", "AttentionScoring_2", "AttentionScoring_RGB", "ScoringNet_1", "none")
SHAPE = (1, 28, 28)


def setting(mode, steps=6, batch=3):
    random = torch.Generator().manual_seed(4)
    plain = PlainGenerator("sgad", SHAPE, 4, steps, mode).double()
    layers = {name: plain.get_submodule(name) for name in scoring_layers(mode, 784)}
    return plain, layers, torch.rand(steps, batch, 784, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("query", ["image", "frame"])
@pytest.mark.parametrize("mode", MODES)
def test_decoding_equals_the_plain_mixture_with_gradients(mode, query):
    plain, layers, frames = setting(mode)
    plain.asks_frame = query == "frame"
    frames.requires_grad_()
    plain.losses, y, expected = [], None, []
    for frame in frames:
        y = plain.mix(y, frame.reshape(-1, *SHAPE))
        expected.append(y.flatten(1))
    expected = torch.stack(expected)
    decoded = decode(frames, mode, layers, keep_steps=True, query=query)
    assert torch.allclose(decoded.steps, expected, rtol=1e-11)
    assert torch.equal(decoded.last, decoded.steps[-1])
    if mode == "AttentionScoring_2":
        assert decoded.extra_loss.item() == pytest.approx(torch.stack(plain.losses).mean().item(), rel=1e-11)
    else:
        assert decoded.extra_loss is None
    pull = torch.rand(expected.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ours, plains = (torch.autograd.grad((out * pull).sum(), frames)[0] for out in (decoded.steps, expected))
    assert torch.allclose(ours, plains, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_a_decoded_pixel_stays_within_its_frames(mode):
    _, layers, frames = setting(mode)
    steps = decode(frames, mode, layers, keep_steps=True).steps
    for step in range(len(frames)):
        seen = frames[: step + 1]
        assert (steps[step] >= seen.amin(0) - 1e-12).all()
        assert (steps[step] <= seen.amax(0) + 1e-12).all()


@pytest.mark.parametrize("mode", MODES)
def test_equal_frames_decode_to_themselves(mode):
    _, layers, frames = setting(mode)
    still = frames[:1].expand_as(frames)
    assert torch.allclose(decode(still, mode, layers).last, frames[0], rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_one_frame_is_shown_as_it_is(mode):
    _, layers, frames = setting(mode, steps=1)
    decoded = decode(frames, mode, layers)
    assert torch.equal(decoded.last, frames[0])
    assert decoded.steps is None
    assert decoded.extra_loss is None


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="scoring_mode must be one of"):
        scoring_layers("AttentionScoring_3", 784)


def test_the_shares_say_how_the_image_was_mixed():
    _, layers, frames = setting("AttentionScoring_1")
    decoded = decode(frames, "AttentionScoring_1", layers, keep_steps=True)
    assert torch.equal(decoded.shares[0], torch.ones(3, dtype=torch.float64))
    mixed = decoded.steps[:-1] + decoded.shares[1:, :, None] * (frames[1:] - decoded.steps[:-1])
    assert torch.allclose(mixed, decoded.steps[1:], rtol=1e-12)
    assert decode(frames, "AttentionScoring_1", layers).shares is None
