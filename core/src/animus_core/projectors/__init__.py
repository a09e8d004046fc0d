"""Projectors: they apply facts to the world outside. Read `hooks.py`, then `drive.py`."""
