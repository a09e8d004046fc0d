"""Starts the good plugin that the first argument names, from its bytecode.

Python compiles the script that it is given anew each time, which takes longer than all else that a good plugin does.
"""

import sys
from importlib import import_module


def main() -> None:
    import_module(sys.argv[1]).main()


if __name__ == "__main__":
    main()
