"""What of a repository may be executed: only what its operator has looked at. Read `trust.py` first."""
