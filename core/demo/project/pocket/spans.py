"""Spans of whole numbers."""


def merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same spans, sorted, with those that touch or overlap made one."""
    return sorted(spans)
