"""The compiled road: one plan for each operation, whole levels at once."""
