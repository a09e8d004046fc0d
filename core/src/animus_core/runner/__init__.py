"""The workflow-runner: one process executes one run. Read `execute.py` first, then `decide.py`."""
