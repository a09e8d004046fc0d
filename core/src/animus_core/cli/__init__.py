"""The `animus` command: parse, call, print. Read `main.py` first; each group of commands has a file of its own."""
