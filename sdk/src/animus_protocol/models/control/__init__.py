"""The control protocol: what clients ask the daemon over its Unix socket (protocol §5).

One module a noun, imported by its name; the rows of a module are its constants. Enums are kebab-case; optional fields
without a value are left out.
"""
