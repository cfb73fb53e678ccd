"""Decoders of one's own: objects that make images of what the last layer of the trunk gives at every step.

A decoder is a torch module, built with (config, shape), that takes currents (T, B, C, H, W) and gives the image after each step,
(T, B, C, H, W) in [0, 1]. `generator_with` joins it to the trunk that all families share:

    class MeanPotential(nn.Module):
        def __init__(self, config, shape):
            super().__init__()
            self.integrator = integrator_of(config)

        def forward(self, currents):
            potentials = self.integrator(currents)
            steps = torch.arange(1, len(potentials) + 1).view(-1, 1, 1, 1, 1)
            return torch.sigmoid(potentials.cumsum(dim=0) / steps)

    register("generator", "mean_potential")(generator_with(MeanPotential))
"""

from collections.abc import Callable

from torch import Tensor, nn

from sgad.config.run import RunConfig
from sgad.errors import InputError
from sgad.models.generators import Generated, Generator, Shape
from sgad.models.units import integrator_of as integrator_of

Decoder = Callable[[RunConfig, Shape], nn.Module]


class DecodedGenerator(Generator):
    """The shared trunk with a decoder behind it; the shown image is that of the last step, events are all steps."""

    def __init__(self, config: RunConfig, shape: Shape, decoder: Decoder) -> None:
        super().__init__(config, shape)
        self.decoder = decoder(config, shape)

    def _read_out(self, x: Tensor, keep_steps: bool) -> Generated:
        currents = self.currents(x)
        images: Tensor = self.decoder(currents)
        if images.shape != currents.shape:
            raise InputError(
                f"decoder {type(self.decoder).__name__} gave {tuple(images.shape)}; it must give the image after every step,"
                f" (T, B, C, H, W) = {tuple(currents.shape)}"
            )
        steps = self._pixels(images)
        shown = steps if self.is_events else steps[-1]
        return Generated(shown, shown, steps=steps if keep_steps else None)


def generator_with(decoder: Decoder) -> Callable[[RunConfig, Shape], DecodedGenerator]:
    """Builder of generators that read the trunk out with `decoder`; its name in a configuration is that of the variable."""

    def build(config: RunConfig, shape: Shape) -> DecodedGenerator:
        return DecodedGenerator(config, shape, decoder)

    return build
