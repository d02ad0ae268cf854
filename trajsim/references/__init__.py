"""Exact and approximate answers without sampling, one module a method, with the names and units of an ensemble."""
