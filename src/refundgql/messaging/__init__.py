"""The bus that rings a doorbell after commit: in-process, PostgreSQL, NATS."""
