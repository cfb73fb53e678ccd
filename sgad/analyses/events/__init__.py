"""Generated event clips next to real ones."""

from sgad.analyses.events.show import event_rates_figure, events_columns
from sgad.analyses.toolbox.tables import model_table
from sgad.catalogue import Analysis, FigureKind

EVENTS = Analysis(
    key="events",
    title="Event clips",
    question="How many events do generated clips have, of which polarity and when, next to real ones?",
    measure="sgad.analyses.events.measure:measure",
    tables=(model_table("events", events_columns),),
    figures=(
        FigureKind(
            key="event_rates",
            title="Events over time: ON and OFF events a frame, generated and real",
            draw=event_rates_figure,
        ),
    ),
    pictures=("real.gif",),
    place=4,
)
