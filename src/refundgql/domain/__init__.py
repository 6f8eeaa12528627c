"""The refund rules themselves: pure functions and state machines over facts.

It must not do I/O, read a clock, log, or import anything but the standard library, the state machine library and
the two data tables it needs (currencies, holidays).
"""
