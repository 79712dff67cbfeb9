"""Bridges to other libraries; each imports its library inside functions."""
