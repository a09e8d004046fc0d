"""What lives: a plugin process is started, supervised, spoken with, ended. Read `session.py` first."""
