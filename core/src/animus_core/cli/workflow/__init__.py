"""`animus workflow …`: runs, and the files that define them."""
