"""Plugins into environments of their own, all or nothing. Read `install.py` first."""
