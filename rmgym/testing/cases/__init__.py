"""Adapters from worked cases to the functions that compute them, one module a family."""
