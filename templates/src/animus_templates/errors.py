"""What can go wrong with a template, by what the caller can do about it.

Below it lie cookiecutter's own errors, for one of them to be shown by its command line.
"""

from __future__ import annotations

from cookiecutter.exceptions import FailedHookException

__all__ = ["BadAnswer", "BadRecord", "ProjectExists", "TemplatesError"]


class TemplatesError(Exception):
    """Base: `message` says what is wrong, `hint` what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\n{hint}")
        self.message = message
        self.hint = hint


class BadAnswer(TemplatesError, FailedHookException):  # type: ignore[misc]  # cookiecutter ships no types
    """An answer that no project can be made of: give another one.

    Cookiecutter's command line prints errors of its own without a traceback, and this is the one that fits.
    """


class ProjectExists(TemplatesError):
    """There is something already where the project would go: choose another place or name. Nothing was changed."""


class BadRecord(TemplatesError):
    """A folder that no template made, or whose record of that cannot be read: name another one, or fix it."""
