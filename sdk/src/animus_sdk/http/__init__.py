"""A bridge from HTTP to the daemon's control socket, for transports and web UIs; needs the extra `animus-sdk[http]`.

From top to bottom: `bridge` is what a plugin opens and closes; `server` listens; `guard` turns away; `exchange` asks
the daemon and answers; `event_stream` tells what happens; `openapi` describes; `routes` is the table of it all. Only
`config` and `pages` can be imported without Starlette and uvicorn.
"""
