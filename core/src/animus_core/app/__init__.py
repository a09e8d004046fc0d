"""The core's processes, composed: the only room that may import every other one.

`daemon.py`, `runner.py` and `agent_runner.py` are the three `main()`s; `spawn.py` starts them.
"""
