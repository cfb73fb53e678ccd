"""From stored numbers to tables, figures and one HTML page. Never imports torch."""
