"""A web server for transports and web UIs: the control protocol over HTTP, and pages of a plugin's own.

`HttpBridge` needs the extra `http` (Starlette and uvicorn), and imports it when it is first used.
"""

import sys
from typing import TYPE_CHECKING, Final

from animus_sdk.lazy_names import lazy_names

if TYPE_CHECKING:  # what editors and type checkers read; a test keeps it the same as the table
    from animus_sdk.http.bridge import HttpBridge as HttpBridge
    from animus_sdk.http.config import HttpConfig as HttpConfig
    from animus_sdk.http.config import listening_address as listening_address
    from animus_sdk.http.pages import Page as Page

NAMES: Final = {
    "animus_sdk.http.bridge": ("HttpBridge",),
    "animus_sdk.http.config": ("HttpConfig", "listening_address"),
    "animus_sdk.http.pages": ("Page",),
}
"""The public names, by the module that they live in."""

if not TYPE_CHECKING:  # else a type checker would take any misspelt name for one of these
    __all__, __getattr__, __dir__ = lazy_names(sys.modules[__name__], NAMES)
