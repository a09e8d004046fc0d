"""Journals: append-only files of checksummed records, one writer each, read by anyone while they grow.

A runner writes one for its run, the agent-runner one for each session; the daemon and runners that attach read them.
`record` is the format, `writer` the only code that writes, `reader` the only code that reads; below lies `store`.
"""
