"""Import on the command line: progress on a terminal, plain lines elsewhere, one line for every bad record.

It must not check or write records; the import command does.
"""
