"""A host in memory for tests of plugins: the real session and the real wire, without a process.

    async with Harness(Tickets, project_root=tmp_path) as host:
        assert await host.request("ticket/get", {"id": "T-1"})

`fixtures.py` is the pytest plugin of it, and nothing else here needs pytest. Importing it stays cheap, because every
pytest run of an environment with the SDK does so.
"""

import sys
from typing import TYPE_CHECKING, Final

from animus_sdk.lazy_names import lazy_names

if TYPE_CHECKING:  # what editors and type checkers read; a test keeps it the same as the table
    from animus_sdk.testing.blocking import BlockingHarness as BlockingHarness
    from animus_sdk.testing.frames import Frame as Frame
    from animus_sdk.testing.harness import Harness as Harness
    from animus_sdk.testing.leftovers import LeftBehind as LeftBehind

NAMES: Final = {
    "animus_sdk.testing.blocking": ("BlockingHarness",),
    "animus_sdk.testing.frames": ("Frame",),
    "animus_sdk.testing.harness": ("Harness",),
    "animus_sdk.testing.leftovers": ("LeftBehind",),
}
"""The public names, by the module that they live in."""

if not TYPE_CHECKING:  # else a type checker would take any misspelt name for one of these
    __all__, __getattr__, __dir__ = lazy_names(sys.modules[__name__], NAMES)
