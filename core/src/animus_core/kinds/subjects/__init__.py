"""Subject backends: which plugin owns a kind, typed calls to it, and the changes of its subjects."""
