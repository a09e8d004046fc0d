"""Asks an executable who it is: `PLUGIN --manifest`, with nothing it could abuse.

Called by `discover.py`; below it lies `environment.py`. Standard input is closed, the environment cleared, 5 s and
1 MiB are the limits (protocol §2).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from animus_core.errors import Unavailable
from animus_core.host.environment import child_environment
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.version import PROTOCOL_VERSION, is_compatible

__all__ = ["probe"]

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 1024 * 1024


async def probe(name: str, command: Sequence[str]) -> PluginManifest:
    """The manifest of `command`. Raises Unavailable that names the plugin and what is wrong with it."""
    output = await _run(name, command)
    try:
        manifest = PluginManifest.model_validate_json(_object_in(output))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "output"
        raise _unfit(name, f"its manifest is no manifest: {where}: {first['msg']}") from error
    if not is_compatible(manifest.protocol_version):
        raise _unfit(name, f"it speaks protocol {manifest.protocol_version}, this host speaks {PROTOCOL_VERSION}")
    return manifest


def _object_in(output: bytes) -> bytes:
    """The JSON object in what was printed: all of it, else the last line that is one (an author's `print` is noise)."""
    try:
        json.loads(output)
    except (ValueError, RecursionError):
        for line in reversed(output.splitlines()):
            if line.startswith(b"{"):
                return line
    return output


def _unfit(name: str, why: str) -> Unavailable:
    return Unavailable(f"plugin {name}: {why}", hint=f"Run `{name} --manifest` by hand, or remove the plugin.")


async def _run(name: str, command: Sequence[str]) -> bytes:
    read_fd, write_fd = os.pipe()
    stdout = asyncio.StreamReader()
    # A pipe of our own, because it has to be closed also when a descendant of the plugin keeps its end of it.
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(read_fd, "rb", buffering=0)
    )
    try:
        return await _printed(name, command, stdout, write_fd)
    finally:
        transport.close()


async def _printed(name: str, command: Sequence[str], stdout: asyncio.StreamReader, write_fd: int) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--manifest",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_fd,
            stderr=asyncio.subprocess.DEVNULL,
            env=child_environment(os.environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the command
        why = error.strerror if isinstance(error, OSError) else error
        raise _unfit(name, f"cannot be started: {command[0]}: {why}") from error
    finally:
        os.close(write_fd)
    output = b""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            while len(output) <= _MAX_BYTES and (chunk := await stdout.read(65536)):
                output += chunk
            if len(output) > _MAX_BYTES:
                raise _unfit(name, f"--manifest printed more than {_MAX_BYTES} bytes")
            if await process.wait() != 0:
                raise _unfit(name, f"--manifest ended with exit code {process.returncode}")
    except TimeoutError as error:
        raise _unfit(name, f"--manifest did not end within {_TIMEOUT_S:g} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return output
