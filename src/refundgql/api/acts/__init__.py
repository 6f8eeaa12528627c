"""Inputs and mutations, one file a concept."""
