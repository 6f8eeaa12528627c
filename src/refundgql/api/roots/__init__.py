"""Queries and subscriptions at the root."""
