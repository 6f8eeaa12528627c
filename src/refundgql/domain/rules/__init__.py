"""The rule objects: each answers an act with nothing or with a reason that cites its number.

It must not change or store anything; the machines name these objects in their rows.
"""
