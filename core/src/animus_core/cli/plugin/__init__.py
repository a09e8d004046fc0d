"""`animus plugin …`: what there is, what runs, how it gets here and away, and how one is written."""
