"""A plugin that tidies up at its end for as long as the test wants: until the test writes into the pipe `go_on`."""

from __future__ import annotations

import sys
from pathlib import Path

from animus_sdk import Plugin, serve


class Tidy(Plugin):
    name = "tidy"
    version = "0"

    def stop(self) -> None:
        print("tidying up", file=sys.stderr, flush=True)
        Path("go_on").read_bytes()
        print("tidy", file=sys.stderr, flush=True)


if __name__ == "__main__":
    serve(Tidy)
