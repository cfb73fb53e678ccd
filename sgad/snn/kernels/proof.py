"""Whether Triton works on a device, found out by one tiny launch.

That the package is there is not enough: its launcher is compiled by a C compiler at first use, which many run-time
containers lack.
"""

from functools import cache

import torch

from sgad.errors import one_line
from sgad.snn.kernels.interface import Scan
from sgad.snn.neurons import Neuron


@cache
def failure_of_triton(device: torch.device) -> str:
    """The reason why no kernel can be launched on `device`, in one line; empty if one can. Found out once a process."""
    try:
        # Whatever a broken installation raises, the answer is that it does not work.
        from sgad.snn.kernels.triton_scan import scan_layer

        found = scan_layer(torch.full((1, 1, 1, 1, 1), 4.0, device=device), None, None, Scan(1, Neuron()))
        spikes = float(found.spikes.sum())
    except Exception as error:  # noqa: BLE001
        return one_line(error)
    return "" if spikes == 1.0 else f"a neuron that should fire once fired {spikes:g} times"
