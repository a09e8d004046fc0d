"""Asks an executable who it is: `PLUGIN --manifest`, with nothing it could abuse.

Below lie `process.py` and `environment.py`. Standard input is closed, the environment cleared, 5 s and 1 MiB are the
limits (protocol §2). Whatever the program started is ended with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from pydantic import ValidationError

from animus_core.errors import PluginFailed, RetryLater
from animus_core.host.environment import INSTANCE, child_environment
from animus_core.host.process import Child, ChildSpec, NotStarted, spawn, why_not_launched
from animus_core.store.process_cleanup import end_by_cookie
from animus_core.terminal import escape_unprintable
from animus_protocol.models.manifest import PluginManifest
from animus_protocol.version import PROTOCOL_VERSION, is_compatible

__all__ = ["NotAPlugin", "Probes", "probe", "probing", "read_manifest"]

_log: Final = logging.getLogger("animus.supply")
_TIMEOUT_S: Final = 5.0  # protocol §2
_DRAIN_S: Final = 0.5  # what it wrote is in the pipe at its exit; only a descendant keeps the pipe open
_MAX_BYTES: Final = 1024 * 1024  # protocol §2
_MAX_LINE_CHARS: Final = 200


class NotAPlugin(RetryLater):
    """The program is not a plugin that this host can use: the reason, and what it wrote to stderr.

    Callers of `Probes.ask` get a PluginFailed instead, which names the plugin.
    """

    def __init__(self, why: str, stderr: str = "") -> None:
        last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "")
        super().__init__(f"{why} ({escape_unprintable(last[:_MAX_LINE_CHARS])})" if last else why)
        self.stderr = stderr


async def probe(
    name: str, command: Sequence[str], *, cwd: str | None = None, timeout_s: float = _TIMEOUT_S
) -> PluginManifest:
    """The manifest of one plugin, as `Probes.ask`."""
    async with probing(timeout_s) as probes:
        return await probes.ask(name, command, cwd=cwd)


@asynccontextmanager
async def probing(timeout_s: float = _TIMEOUT_S) -> AsyncIterator[Probes]:
    """For several probes; at the end whatever left a plugin's process group is ended, once for all of them."""
    probes = Probes(timeout_s)
    try:
        yield probes
    finally:
        if probes.used:
            await asyncio.shield(asyncio.ensure_future(_sweep(probes.mark)))


class Probes:
    """Starts plugins for their manifests. `mark` is in the environment of all that they start.

    One that has not printed its manifest after `timeout_s` is given up.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.mark = f"probe:{secrets.token_hex(8)}"
        self.used = False

    async def ask(self, name: str, command: Sequence[str], *, cwd: str | None = None) -> PluginManifest:
        """The manifest of `command`, run in `cwd` (else in /).

        Raises PluginFailed that says what is wrong, with the last line of its stderr. Its process has ended then.
        """
        self.used = True
        # What it would write beside its own code would be a change of that code.
        env = {**child_environment(os.environ), INSTANCE: self.mark, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            # In / where it has no folder: nothing that lies in the working directory becomes part of it.
            output = await _run(ChildSpec(name, [*command, "--manifest"], env, cwd or "/"), self._timeout_s)
            return read_manifest(output)
        except NotAPlugin as error:
            see = f"See why: {escape_unprintable(shlex.join(command))} --manifest"
            raise PluginFailed(name, error.message, error.stderr, remedy=see) from error


def read_manifest(output: bytes) -> PluginManifest:
    """The manifest in what a program printed. Raises NotAPlugin if there is none, or for another protocol."""
    try:
        manifest = PluginManifest.model_validate_json(_object_in(output))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "output"
        raise NotAPlugin(f"its manifest is not valid: {where}: {first['msg']}") from error
    if not is_compatible(manifest.protocol_version):
        version = escape_unprintable(manifest.protocol_version[:_MAX_LINE_CHARS])
        raise NotAPlugin(f"it speaks protocol {version}, this host speaks {PROTOCOL_VERSION}")
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


async def _run(spec: ChildSpec, timeout_s: float) -> bytes:
    """What the program prints. Raises NotAPlugin when it cannot be started, fails or is beyond the limits."""
    try:
        child = spawn(spec)
    except NotStarted as error:
        raise NotAPlugin(
            f"cannot be started: {escape_unprintable(spec.command[0])}: {escape_unprintable(error.why)}"
        ) from error
    # End of input at once: a program that is not a plugin and reads its input must not wait for us (protocol §2).
    os.close(child.write_fd)
    try:
        output, code = await _printed(child, timeout_s)
    except TimeoutError as error:
        raise NotAPlugin(f"--manifest did not end within {timeout_s:g} s", child.stderr_tail) from error
    finally:
        # Without a grace: a probe has nothing to lose, and one that hung has had its time.
        await asyncio.shield(asyncio.ensure_future(child.end(0.0)))
    stderr = child.stderr_tail
    why = why_not_launched(code, stderr)
    if why is not None:
        raise NotAPlugin(f"cannot be started: {escape_unprintable(why)}")
    if code != 0:
        raise NotAPlugin(f"--manifest ended with exit code {code}", stderr)
    return output


async def _printed(child: Child, timeout_s: float) -> tuple[bytes, int]:
    """All that it prints, and its exit code. Raises TimeoutError, or NotAPlugin for more than the limit."""
    stdout = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(child.read_fd, "rb", buffering=0)
    )
    output = bytearray()
    reading = asyncio.ensure_future(_read(stdout, output))
    exiting = asyncio.ensure_future(child.wait())
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.wait([reading, exiting], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():  # a descendant may keep the pipe; what the program itself wrote is there by now
                await asyncio.wait([reading], timeout=_DRAIN_S)
            if reading.done():
                reading.result()
            return bytes(output), await exiting
    finally:
        reading.cancel()
        exiting.cancel()
        await asyncio.wait([reading, exiting])
        transport.close()


async def _read(stdout: asyncio.StreamReader, output: bytearray) -> None:
    while chunk := await stdout.read(65536):
        output += chunk
        if len(output) > _MAX_BYTES:
            raise NotAPlugin(f"--manifest printed more than {_MAX_BYTES} bytes")


async def _sweep(mark: str) -> None:
    try:
        await asyncio.to_thread(end_by_cookie, INSTANCE, mark, grace_s=0.0)
    except RetryLater as error:
        _log.error("after asking plugins for their manifests: %s", error)
