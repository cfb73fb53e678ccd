"""Configuration: one pydantic model per kind of file, composed with the origin of each value."""
