"""A few small functions that one always needs."""
