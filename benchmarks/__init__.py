"""Measures the project beside a plain Strawberry server and the physical limit, in one run, as ratios."""
