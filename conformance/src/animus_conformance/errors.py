"""What can go wrong with the suite itself, by what the caller can do about it.

The doors show the message. Verdicts about a plugin are no errors of the suite: they are in `verdict.py`.
"""

from __future__ import annotations

__all__ = ["BadSettings", "ConformanceError", "SuiteBroken", "UsageMistake"]


class ConformanceError(Exception):
    """Base of this distribution's errors; the message says what, where, and what to do."""


class UsageMistake(ConformanceError):
    """The command cannot be carried out as it was given: give it otherwise."""


class BadSettings(ConformanceError):
    """`conformance.toml` has a mistake: file, key and what is expected."""


class SuiteBroken(ConformanceError):
    """Requirements, checks or schemas of the suite do not fit together: report it."""
