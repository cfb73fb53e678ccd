# Snakemake finds this file first, and the profiles next to it; the workflow itself is in workflow/.
include: "workflow/Snakefile"


# An included file cannot choose the default target.
workflow.default_target = "all"
