"""A good plugin of whatever kind its argument says; every method answers with its params."""

import sys

from plain import HELLO, requests, say

INFO = {"name": "any", "version": "1", "plugin_kind": sys.argv[1]}

for number, method, params in requests():
    say(number, {**HELLO, "protocol_version": "1.1.0", "plugin_info": INFO} if method == "initialize" else params)
    if method == "shutdown":
        break
