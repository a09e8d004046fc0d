#!/bin/sh
# The demo as an operator gets it: the wheels in dist/ are installed into a clean environment outside of this repository,
# and run there.
# usage: from_wheels.sh PYTHON [--json]
set -eu
python=$1
shift
repository=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/animus-wheels-XXXXXX")
trap 'rm -rf "$place"' EXIT
"$repository/$python" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    -c "$repository/constraints.txt" pytest "$repository"/dist/*.whl
cp -R "$repository/core/demo" "$place/demo"
cd "$place"
"$place/env/bin/python" "$place/demo/run_demo.py" "$@"
