"""What exists, each declared once next to the function that makes it: analyses, tables, figures. Standard library only.

A declaration is a module-level object (`Analysis`, `TableKind`, `FigureKind`) in one of the package's rooms, in a file named by
`--plugin FILE` or `$SGAD_PLUGINS`, or in an installed package's entry point; `sgad.catalogue.lookup` lists them all.
"""

from sgad.catalogue.declarations import Analysis, FigureKind, TableKind

__all__ = ["Analysis", "FigureKind", "TableKind"]
