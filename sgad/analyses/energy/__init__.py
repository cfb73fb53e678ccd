"""Firing rates, operations and energy of generator and critic."""

from sgad.analyses.energy.show import energy_columns, energy_figure
from sgad.analyses.toolbox.tables import model_table
from sgad.catalogue import Analysis, FigureKind

ENERGY = Analysis(
    key="energy",
    title="Spikes and energy of one image",
    question="How many operations does one image take, and how much energy, next to the same layers without spikes?",
    measure="sgad.analyses.energy.measure:measure",
    tables=(model_table("energy", energy_columns),),
    figures=(
        FigureKind(
            key="energy",
            title="Energy of one image: 4.6 pJ a multiply-accumulate, 0.9 pJ a synaptic operation (Horowitz 2014)",
            draw=energy_figure,
        ),
    ),
    place=3,
)
