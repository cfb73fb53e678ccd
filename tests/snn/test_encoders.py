"""Encoders against the sentence that defines each."""

import pytest
import torch

from sgad.errors import InputError
from sgad.snn.encoders import ENCODERS, encode
from tests.plain.neurons import plain_encode


@pytest.mark.parametrize("encoder", ["direct", "ttfs"])
@pytest.mark.parametrize("steps", [1, 4, 16])
def test_encoders_equal_the_plain_definition(encoder, steps):
    x = torch.linspace(-0.2, 1.2, 57, dtype=torch.float64).reshape(3, 19)
    x = torch.cat([x, torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0] + [0.125] * 14], dtype=torch.float64)])
    ours = encode(x, encoder, steps)
    assert torch.equal(ours.expand(steps, *x.shape), torch.stack(plain_encode(x, encoder, steps)))


def test_direct_encoding_is_kept_once():
    assert encode(torch.rand(2, 3), "direct", 16).shape == (1, 2, 3)


def test_time_to_first_spike_never_fires_for_zero_and_fires_once_else():
    x = torch.tensor([0.0, 0.01, 0.5, 1.0])
    assert (encode(x, "ttfs", 8) > 0).sum(dim=0).tolist() == [0, 1, 1, 1]


def test_rate_encoding_draws_from_its_argument_alone():
    x = torch.full((200,), 0.3)
    before = torch.random.get_rng_state()
    first, again, other = (encode(x, "rate", 50, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.mean().item() == pytest.approx(0.3, abs=0.02)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(InputError, match=", ".join(sorted(ENCODERS))):
        encode(torch.zeros(1), "morse", 4)
