"""`python -m animus_log_jsonl`: the same process as the console script."""

from __future__ import annotations

from animus_log_jsonl.plugin import main

main()
