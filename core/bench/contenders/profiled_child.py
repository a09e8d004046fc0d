"""The child of `profile_call.py`: the benchmark's plugin, which can also watch itself."""

from __future__ import annotations

from collections.abc import Sequence

from animus_sdk import serve
from animus_sdk.call import Call
from animus_sdk.plugin import Route
from contenders import animus_wire as wire
from contenders.animus_child import Bench
from contenders.sampling import TOOLS, Profiler


class ProfiledBench(Bench):
    """`Bench`, and `bench/profile`."""

    def __init__(self) -> None:
        self._profiler: Profiler | None = None

    def routes(self) -> Sequence[Route]:
        """One more than `Bench`."""
        return (*super().routes(), Route(wire.PROFILE, self.profile))

    async def profile(self, params: wire.Profile, call: Call) -> wire.ProfileText:
        """Begin, or end and tell."""
        if params.begin:
            self._profiler = TOOLS[params.tool]()
            self._profiler.begin()
            return wire.ProfileText(text="")
        return wire.ProfileText(text=self._profiler.end() if self._profiler else "")


if __name__ == "__main__":
    serve(ProfiledBench)
