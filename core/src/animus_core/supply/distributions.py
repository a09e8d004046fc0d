"""Which distributions are ours, which of them an index has, and how to install one today. Below lies pip's metadata.

Anybody may upload to an index under any name that is free, so a name of ours there is a stranger's until we have
published it ourselves. Whatever tells people how to install something asks here.
"""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = [
    "DISTRIBUTIONS",
    "PUBLISHED",
    "UNPUBLISHED",
    "how_to_install",
    "how_to_install_again",
    "how_to_install_beside",
    "how_to_prepare_authoring",
    "unpublished_name",
]

_CORE: Final = "animus-runtime"
DISTRIBUTIONS: Final = frozenset(
    {
        _CORE,
        "animus-conformance",
        "animus-log-jsonl",
        "animus-provider-mock",
        "animus-sdk",
        "animus-subject-files",
        "animus-templates",
        "animus-transport-http",
        "animus-trigger-files",
        "animus-web-ui",
    }
)
"""What this repository builds."""
PUBLISHED: Final[frozenset[str]] = frozenset()
"""Those of DISTRIBUTIONS that we have put into an index. Add a name in the change that publishes it, not before."""
UNPUBLISHED: Final = DISTRIBUTIONS - PUBLISHED
"""Names of ours that are free in an index: what stands there under one of them is a stranger's."""
_REQUIREMENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_AUTHORS: Final = frozenset({"animus-sdk", "animus-conformance"})
_NO_FOLDER: Final = "  (WHEELS is the folder dist/ that `make wheels` fills in a clone of Animus)"


class _Wheels(NamedTuple):
    """A folder of our wheels as a shell reads it, the command that fills it first, and what a reader has to know."""

    folder: str
    build: str = ""
    note: str = ""


def how_to_install(name: str) -> str:
    """The command that installs the plugin `name` as things are today.

    For a plugin of ours that is not published it takes the wheels of where this core came from: a clone, or a folder of
    wheels. Nobody else's name is given to an index either: whoever has such a plugin knows what it is.
    """
    if name in PUBLISHED:
        return f"animus plugin install {name}"
    if name not in DISTRIBUTIONS:
        return "animus plugin install SOURCE  (SOURCE is its wheel, its folder or its program)"
    wheels = _wheels()
    links = f"PIP_FIND_LINKS={wheels.folder}"
    return f"{wheels.build}{links} animus plugin install {wheels.folder}/{_wheel(name)}{wheels.note}"


def how_to_install_again(source: str, *, development: bool = False) -> str:
    """The command that installs a plugin once more from `source`, as `plugins.lock` has it.

    The operator's own sources stay as they are; only a name of ours that is not published gets the way that works.
    """
    name = unpublished_name(source)
    if name is not None:
        return how_to_install(name)
    return f"animus plugin install {shlex.quote(source)}{' --dev' if development else ''}"


def unpublished_name(source: str) -> str | None:
    """The name in `source` (`NAME`, `NAME==VERSION`), if it is one of ours that is not published; None for a path."""
    found = _REQUIREMENT_NAME.match(source)
    if found is None or "/" in source:
        return None
    name = re.sub(r"[-_.]+", "-", found[0]).lower()
    return name if name in UNPUBLISHED else None


def how_to_install_beside(name: str) -> str:
    """The command that installs a distribution of ours into the environment of this core."""
    if name in PUBLISHED:
        return f"pip install {name}"
    wheels = _wheels()
    return f"{wheels.build}pip install {wheels.folder}/{_wheel(name)}{wheels.note}"


def how_to_prepare_authoring() -> list[str]:
    """The commands after which pip finds what a new plugin depends on; none once an index has it."""
    missing = sorted(_OF_AUTHORS - PUBLISHED)
    if not missing:
        return []
    wheels = _wheels()
    files = " ".join(f'"$PIP_FIND_LINKS"/{_wheel(name)}' for name in missing)
    return [f"{wheels.build}export PIP_FIND_LINKS={wheels.folder}{wheels.note}", f"pip install {files}"]


def _wheels() -> _Wheels:
    """Where our wheels are, seen from where pip noted that this core was installed from."""
    try:
        # PEP 610: pip notes there where it installed from; an index leaves no such file.
        noted = json.loads(distribution(_CORE).read_text("direct_url.json") or "{}")
        parts = urlsplit(noted["url"])
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return _Wheels("WHEELS", note=_NO_FOLDER)
    origin = Path(unquote(parts.path))
    # The core lies in `core/` of a clone, beside the Makefile that builds the wheels.
    if parts.scheme == "file" and (origin.parent / "Makefile").is_file():
        clone = shlex.quote(str(origin.parent))
        return _Wheels(f"{clone}/dist", f"make -C {clone} wheels && ")
    if parts.scheme == "file" and origin.is_file():
        return _Wheels(shlex.quote(str(origin.parent)))
    return _Wheels("WHEELS", note=_NO_FOLDER)


def _wheel(name: str) -> str:
    return f"{name.replace('-', '_')}-*.whl"
