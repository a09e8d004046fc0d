"""A good plugin of a kind that nobody has heard of: the life cycle, and one method of its own.

`--variant stays` needs `exit`: the end of its input alone does not end it, as long as its timer runs (protocol §2).
"""

from __future__ import annotations

import sys
import threading

from lines import Plugin

PLUGIN = Plugin(
    manifest={
        "name": "good-custom",
        "version": "1.0.0",
        "plugin_kind": "weather_station",
        "description": "Says what the weather is like.",
        "protocol_version": "1.0.0",
        "capabilities": ["weather/now"],
    },
    capabilities={"methods": ["weather/now"]},
    methods={"weather/now": lambda params, call: {"degrees": 12}},
    slow=frozenset(),
)


def main() -> None:
    if "stays" in sys.argv:
        PLUGIN.at_end_of_input = threading.Event().wait
    PLUGIN.serve()


if __name__ == "__main__":
    main()
