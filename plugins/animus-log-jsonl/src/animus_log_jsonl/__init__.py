"""A log storage in JSON Lines files. `plugin.py` is where a host comes in; read `log.py` first."""
