"""Each operation once, whichever door it came through: the CLI, the control socket, or a process without a daemon."""
