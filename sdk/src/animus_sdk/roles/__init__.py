"""One role a kind of plugin: what an author overrides, and what is derived from it for the host."""
