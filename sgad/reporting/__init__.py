"""From run folders to metrics.csv, tables, figures and one HTML page. Never imports torch."""
