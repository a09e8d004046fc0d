"""The agent-runner: live provider sessions, one process each, spooled so that any runner can attach.

Read `session.py` (one session), then `server.py` (all of them, on a socket).
"""
