"""`animus subject …`: work items, wherever they live."""
