"""The daemon: schedules dispatches and owns the database. Read `loop.py` first."""
