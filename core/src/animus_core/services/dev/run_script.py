"""Runs the function behind a console script of a project that is not installed.

`python -P run_script.py FOLDER MODULE:FUNCTION NAME [ARG...]`, with any interpreter, so it imports nothing of ours. It
does what an installed script does, with FOLDER first on the module path.
"""

import importlib
import operator
import sys


def main() -> "int | str | None":
    """Import the module, call the function."""
    folder, function, name, *arguments = sys.argv[1:]
    # Started with -P, so nothing else of the working directory is on the path.
    sys.path.insert(0, folder)
    sys.argv[:] = [name, *arguments]
    module, _, attribute = function.partition(":")
    code: int | str | None = operator.attrgetter(attribute)(importlib.import_module(module))()
    return code


if __name__ == "__main__":
    sys.exit(main())
