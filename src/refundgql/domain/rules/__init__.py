"""The rule objects: each answers an act with nothing or with a reason that cites its number."""
