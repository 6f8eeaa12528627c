"""Reads for a viewer: plain statements into small read-model rows, batched by level."""
