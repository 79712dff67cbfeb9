"""Policies: scripted ones here and by module; `rmgym.agents.catalog` finds them by name."""
