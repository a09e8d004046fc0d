"""`animus init` and `animus trust`: a repository becomes a project whose operator trusts it."""
