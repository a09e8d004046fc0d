"""Plugins from the outside: found, probed, started, spoken with, ended. Read `session.py` first."""
