"""How many examples a property is tried on: so many times the usual number, which is smaller in the quick check."""

from hypothesis import settings

USUAL: int = settings().max_examples
