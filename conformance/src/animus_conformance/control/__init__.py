"""A daemon's control socket, as the suite plays it towards transports and web UIs (protocol §5).

`answers` is what it says, `fake_daemon` how it says it. Nothing here is shared with host or SDK.
"""
