"""Requests made up from the protocol's schemas: hypothesis strategies, and the search that uses them."""
