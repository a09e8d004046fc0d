"""Titles as parts of addresses."""


def slug(title: str) -> str:
    """Lower case, words joined by single hyphens, nothing but letters, digits and hyphens."""
    return title.lower().replace(" ", "-")
