"""A host in memory for tests of plugins: the real session and the real wire, without a process.

    async with Harness(Tickets, project_root=tmp_path) as host:
        assert await host.request("ticket/get", {"id": "T-1"})

Used by plugin authors' tests; `fixtures.py` is the pytest plugin of it, and nothing else here needs pytest. Importing
it stays cheap, because every pytest run of an environment with the SDK does so.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from animus_sdk.testing.blocking import BlockingHarness
    from animus_sdk.testing.frames import Frame
    from animus_sdk.testing.harness import Harness
    from animus_sdk.testing.leftovers import LeftBehind

_HOMES: Final = {"BlockingHarness": "blocking", "Frame": "frames", "Harness": "harness", "LeftBehind": "leftovers"}

__all__ = ["BlockingHarness", "Frame", "Harness", "LeftBehind"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return value
