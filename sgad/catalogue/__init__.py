"""What exists, declared once next to the function that makes it: metrics, analyses, tables, figures. Standard library only.

A declaration is a module-level object (`Metric`, `Analysis`, `TableKind`, `FigureKind`) in one of the package's rooms, in a file
named by `--plugin FILE` or `$SGAD_PLUGINS`, or in an installed package's entry point. `sgad.catalogue.metrics` and
`sgad.catalogue.lookup` list them all.
"""

from sgad.catalogue.declarations import Analysis, FigureKind, Metric, MetricName, TableKind

__all__ = ["Analysis", "FigureKind", "Metric", "MetricName", "TableKind"]
