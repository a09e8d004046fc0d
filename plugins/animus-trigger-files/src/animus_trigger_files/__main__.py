"""`python -m animus_trigger_files`: the same process as the console script."""

from __future__ import annotations

from animus_trigger_files.plugin import main

main()
