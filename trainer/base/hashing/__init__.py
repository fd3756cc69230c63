"""Hashes of weights: computed once, then remembered."""
