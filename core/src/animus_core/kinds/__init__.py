"""What the core does with each kind of plugin, over one supervisor (`host/supervisor.py`)."""
