"""Doors to the real world: retrieval, sandboxes, databases, calculators."""
