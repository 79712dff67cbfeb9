"""Stand-ins: formulas of ours for methods whose own are not public, under names of ours.

They follow what an abstract or a review says and claim no more. They may change in any release.
"""
