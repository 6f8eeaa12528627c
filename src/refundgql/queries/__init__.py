"""Reads for a viewer: plain statements into small read-model rows, batched by level.

It must not lock, write or decide rules, and every statement carries the viewer's visibility condition.
"""
