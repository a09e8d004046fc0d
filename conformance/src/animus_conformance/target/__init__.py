"""The plugin that is judged: how it is started, in which folders, what it says of itself, and its processes."""
