"""A provider that follows a script. `plugin.py` is where a host comes in; read `runner.py` first."""
