"""Plugins from the outside: found, trusted, started, watched, spoken with, ended. Read `session.py` first.

Here lies what lives with a plugin's process; `finding`, `lock`, `install` and `trust` are about its files.
"""
