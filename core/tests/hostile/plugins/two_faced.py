"""Introduces itself as a provider, whatever its manifest says."""

from plain import requests, say

HELLO = {
    "protocol_version": "1.0.0",
    "plugin_info": {"name": "hostile", "version": "1", "plugin_kind": "provider"},
    "capabilities": {"methods": ["echo"]},
}


for number, method, params in requests():
    say(number, HELLO if method == "initialize" else params)
