#!/bin/sh
# The demo as an operator gets it: wheels are built, installed into a clean environment outside the repository, and run there.
# usage: from_wheels.sh PYTHON_THAT_BUILDS [--json]
set -eu
builder=$1
shift
repository=$(cd "$(dirname "$0")/../.." && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/animus-wheels-XXXXXX")
trap 'rm -rf "$place"' EXIT
for folder in sdk core conformance templates $(cd "$repository" && echo plugins/*); do
    "$repository/$builder" -m build --wheel --no-isolation --outdir "$place/wheels" "$repository/$folder" >"$place/build.log" 2>&1 ||
        { cat "$place/build.log"; exit 1; }
done
"$repository/$builder" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    -c "$repository/constraints.txt" pytest "$place"/wheels/*.whl
cp -R "$repository/core/demo" "$place/demo"
cd "$place"
"$place/env/bin/python" "$place/demo/run_demo.py" "$@"
