"""`animus queue …`: accepted work in its order."""
