"""`animus daemon …`: the process that works the queue off."""
