"""rmgym: Gymnasium environments for LLM agents, with turn-level rewards."""

__version__ = "0.1.0"
