"""The bus that rings a doorbell after commit: in-process, PostgreSQL, NATS.

It must not carry anything but topics: what happened is read from the event log by whoever is woken.
"""
