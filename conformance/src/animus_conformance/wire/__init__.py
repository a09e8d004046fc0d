"""Raw lines to and from a plugin's process: the suite's own, sharing nothing with SDK and host."""
