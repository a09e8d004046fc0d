"""Texts that must fit."""


def clip(text: str, width: int) -> str:
    """`text`, or its beginning and an ellipsis, never wider than `width`."""
    return text[:width] + "…"
