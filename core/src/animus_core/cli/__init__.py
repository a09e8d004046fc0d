"""The `animus` command: parse, call, print. Read `main.py` first.

Each group of commands is a folder: `parser.py` has their options, and what they do is imported when one runs.
"""
