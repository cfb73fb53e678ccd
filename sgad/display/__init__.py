"""What tables, figures and analyses are shown with: tables as data, the look of figures, captions. Never imports torch."""
