"""The checks, a module a subject; `registry.py` collects them."""
