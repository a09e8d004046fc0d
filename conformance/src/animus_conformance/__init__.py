"""Does a plugin keep the protocol? A suite for plugins of any language, with any SDK or none.

It shares no code with the SDK and the host: it writes and reads raw lines, and its oracle is its own JSON Schemas.
"""
