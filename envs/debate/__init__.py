"""Debate under pressure, critique of critiques, planner and grounder, and the judge's own gym."""
