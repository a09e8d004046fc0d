"""`animus watch`: every run as it happens."""
