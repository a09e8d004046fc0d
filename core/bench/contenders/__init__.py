"""The contenders of `make bench`: a host and a child each, in processes of their own. Read `cells.py` first."""
