"""Asks a plugin for its manifest, as a host does before it trusts anything it says (protocol §2).

Called once a run by `plugin_under_test.py`; the checks of `checks/manifest.py` judge what came. Below it lies asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from animus_conformance.verdict import Unproven

__all__ = ["MAX_MANIFEST_BYTES", "ManifestProbe", "probe_manifest"]

MAX_MANIFEST_BYTES: Final = 1024 * 1024
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
            value = json.loads(self.output)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


async def probe_manifest(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], within_s: float
) -> ManifestProbe:
    """Run `command --manifest` with nothing to read. Raises Unproven when it cannot be started."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--manifest",
            cwd=cwd,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Unproven(f"{command[0]} cannot be started: {error.strerror}") from error
    output, stderr = bytearray(), bytearray()
    exit_code = None
    try:
        async with asyncio.timeout(within_s):
            await asyncio.gather(_collect(process.stdout, output), _collect(process.stderr, stderr))
            if len(output) <= MAX_MANIFEST_BYTES:
                exit_code = await process.wait()
    except TimeoutError:
        pass  # told by the missing exit code
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return ManifestProbe(bytes(output), bytes(stderr[-MAX_MANIFEST_BYTES:]), exit_code)


async def _collect(stream: asyncio.StreamReader | None, into: bytearray) -> None:
    assert stream is not None  # noqa: S101 - opened as a pipe by the caller
    while len(into) <= MAX_MANIFEST_BYTES and (chunk := await stream.read(_READ_BYTES)):
        into += chunk
