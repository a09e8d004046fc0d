"""`python -m animus_conformance` is the command `animus-conformance`."""

from __future__ import annotations

from animus_conformance.cli import main

if __name__ == "__main__":
    main()
