"""What people and timers can do: one function, one use case, one transaction."""
