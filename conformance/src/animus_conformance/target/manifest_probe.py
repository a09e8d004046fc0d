"""Asks a plugin for its manifest, as a host does before it trusts anything it says (protocol §2).

It only notes what came; checks judge it. Below it lies the process group.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from animus_conformance.verdict import Unproven
from animus_conformance.wire.group import Launch, ProcessGroup

__all__ = ["MAX_MANIFEST_BYTES", "ManifestProbe", "probe_manifest"]

MAX_MANIFEST_BYTES: Final = 1024 * 1024
"""What a manifest may have at most (protocol §2); whoever prints without end is not read any further."""
_READ_BYTES: Final = 64 * 1024


class ManifestProbe(NamedTuple):
    """What `--manifest` came to. `exit_code` is None when it did not end in time or had printed too much."""

    output: bytes
    stderr: bytes
    exit_code: int | None

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The JSON object that was printed; empty when there was none."""
        try:
            value = self.value()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def value(self) -> Any:
        """The printed JSON value. Raises ValueError for what is not JSON in UTF-8 without a byte order mark."""
        try:
            return json.loads(self.output.decode(), parse_constant=_refuse)
        except RecursionError:
            raise ValueError("nested deeper than this suite reads") from None


async def probe_manifest(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], within_s: float
) -> ManifestProbe:
    """Run `command --manifest` with nothing to read. Raises Unproven when it cannot be started."""
    try:
        # Hosts close its standard input (protocol §2): whoever waits for some never ends.
        group = await ProcessGroup.start(Launch([*command, "--manifest"], cwd, environment), stdin=DEVNULL)
    except OSError as error:
        raise Unproven(f"{command[0]} cannot be started: {error.strerror}") from error
    output, stderr = bytearray(), bytearray()
    draining = asyncio.create_task(_keep_the_end(group.stderr, stderr))
    exit_code = None
    try:
        async with asyncio.timeout(within_s):
            await _keep_the_beginning(group.stdout, output)
            if len(output) <= MAX_MANIFEST_BYTES:
                await asyncio.wait([draining])
                await group.exited(within_s)
                exit_code = group.exit_code
    except TimeoutError:
        pass  # told by the missing exit code
    finally:
        draining.cancel()
        await group.end()
    return ManifestProbe(bytes(output), bytes(stderr), exit_code)


async def _keep_the_beginning(stream: asyncio.StreamReader, kept: bytearray) -> None:
    """Up to the first byte too many."""
    while len(kept) <= MAX_MANIFEST_BYTES and (chunk := await stream.read(_READ_BYTES)):
        kept += chunk


async def _keep_the_end(stream: asyncio.StreamReader, kept: bytearray) -> None:
    while chunk := await stream.read(_READ_BYTES):
        kept += chunk
        del kept[:-_READ_BYTES]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
