"""The model zoo: trained generators packed small, with a card, and three lines of Python to draw from them."""
