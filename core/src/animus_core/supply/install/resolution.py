"""What pip would install, from where and by whom: its report, in words that somebody can agree to.

Below lie pip's report (JSON of another program, about other people's packages) and the list of our distributions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict

from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.store.regular_files import read_regular
from animus_core.supply.distributions import UNPUBLISHED
from animus_core.supply.install.plugin_source import InstallSource, SourceKind, is_requirement
from animus_core.supply.install.request import Dialogue
from animus_core.terminal import escape_unprintable

__all__ = ["ResolvedDistribution", "agree", "read_report"]

_MAX_BYTES: Final = 64 << 20  # each distribution's README is in the report
_AUTHOR_CHARS: Final = 100
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class _Part(BaseModel):
    """A part of pip's report. Built on first use: a daemon imports this module and seldom installs."""

    model_config = ConfigDict(defer_build=True)


class _Archive(_Part):
    hash: str = ""
    hashes: dict[str, str] | None = None  # pip 23.0 and newer; before that, `hash` alone


class _Download(_Part):
    url: str
    archive_info: _Archive | None = None


class _Metadata(_Part):
    name: str
    version: str
    author: str = ""
    author_email: str = ""
    maintainer: str = ""
    maintainer_email: str = ""


class _Item(_Part):
    download_info: _Download
    metadata: _Metadata
    is_direct: bool = False
    requested: bool = False


class _Report(_Part):
    install: list[_Item]


class ResolvedDistribution(NamedTuple):
    """One distribution as pip resolved it.

    `url` is where it comes from, without credentials; `sha256` of its file is None where that is no file. `direct`: its
    place was named by who depends on it, and no index or folder of wheels was asked. `requested`: it is what was asked
    for, and not a dependency.
    """

    name: str
    version: str
    author: str
    url: str
    sha256: str | None
    direct: bool
    requested: bool

    @property
    def is_a_strangers(self) -> bool:
        """Whether it has a name of ours that we have not published, and comes from another machine."""
        name = re.sub(r"[-_.]+", "-", self.name).lower()
        return name in UNPUBLISHED and urlsplit(self.url).scheme != "file"

    @property
    def pinned(self) -> str:
        """The line of a requirements file that this very file fits, and no other.

        Raises InvalidInput for one that an index or a folder of wheels could not give again.
        """
        requirement = f"{self.name}=={self.version}"
        # Name and version are a stranger's words: as a line of their own they could be an option of pip.
        if self.direct or self.sha256 is None or not is_requirement(requirement):
            raise InvalidInput(
                f"{escape_unprintable(requirement)} would come from {self.url}, which is not a file of an index",
                hint="Nothing was changed. Download the plugin, look at it, and install its file or folder.",
            )
        return f"{requirement} --hash=sha256:{self.sha256}"


def read_report(path: Path) -> list[ResolvedDistribution]:
    """What pip's report says, what was asked for first. Raises RetryLater for a report that cannot be understood."""
    try:
        found = [_resolved(item) for item in _Report.model_validate_json(read_regular(path, _MAX_BYTES)).install]
    except (OSError, ValueError) as error:
        raise RetryLater("pip's report cannot be read", hint="Nothing was changed. Is this pip a usual one?") from error
    return sorted(found, key=lambda distribution: (not distribution.requested, distribution.name.lower()))


async def agree(source: InstallSource, found: Sequence[ResolvedDistribution], dialogue: Dialogue) -> None:
    """Ask before anything is installed that the operator has not named by its file or folder.

    That is all that a name in an index leads to; of a file or folder, dependencies that have a name of ours and are a
    stranger's. Raises Conflict unless the answer is yes.
    """
    # A name in an index leads to whatever its owner put there; a file or folder the operator has named himself.
    shown = (
        list(found)
        if source.kind is SourceKind.INDEX
        else [distribution for distribution in found if distribution.is_a_strangers]
    )
    if not shown:
        return
    what = "\n".join([f"{source.text} means:", *(_format(distribution) for distribution in shown)])
    if not await dialogue.confirm(f"{what}\nInstall that?"):
        raise Conflict(
            f"nothing was installed, because nobody has agreed. {what}",
            hint="Answer y at a terminal, or say yes beforehand: --yes",
            details={"distributions": [distribution._asdict() for distribution in shown]},
        )


def _resolved(item: _Item) -> ResolvedDistribution:
    about, archive = item.metadata, item.download_info.archive_info
    author = escape_unprintable(about.author or about.author_email or about.maintainer or about.maintainer_email)
    # A stranger's text: it must not push the place and the hash out of sight.
    if len(author) > _AUTHOR_CHARS:
        author = f"{author[: _AUTHOR_CHARS - 1]}…"
    sha256 = None
    if archive is not None:
        sha256 = (archive.hashes or {}).get("sha256") or archive.hash.removeprefix("sha256=")
    return ResolvedDistribution(
        name=about.name,
        version=about.version,
        author=author or "somebody who gives no name",
        url=_without_credentials(item.download_info.url),
        sha256=sha256 if sha256 is not None and _SHA256.fullmatch(sha256) else None,
        direct=item.is_direct,
        requested=item.requested,
    )


def _without_credentials(url: str) -> str:
    """`url` without user, password, query and fragment: any of them may be a secret."""
    parts = urlsplit(url)
    return escape_unprintable(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def _format(found: ResolvedDistribution) -> str:
    lines = [
        f"  {escape_unprintable(found.name)} {escape_unprintable(found.version)} by {found.author}",
        f"    from {found.url}",
        f"    sha256 {found.sha256 or 'unknown'}",
    ]
    if found.is_a_strangers:
        lines.append("    Animus has published nothing under this name: it is somebody else's")
    return "\n".join(lines)
