"""Whatever a handler raises, in whichever form it is written, the host gets one clear answer and the plugin goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from animus_protocol.errors import MethodNotFound, RpcError
from animus_sdk import InvalidParams, NotFound, NotSupported, Plugin, PluginError, Unavailable, inline, method
from animus_sdk.testing import Harness


class Odd(BaseException):
    """No Exception at all."""


MISTAKES: dict[str, tuple[Callable[[], BaseException], int, str | None]] = {
    "not found": (lambda: NotFound("it"), -32602, "not_found"),
    "invalid": (lambda: InvalidParams("so not"), -32602, "invalid_request"),
    "unsupported": (lambda: NotSupported("that"), -32001, "not_supported"),
    "unavailable": (lambda: Unavailable("down"), -32603, "unavailable"),
    "told": (lambda: PluginError("so it is"), -32603, "internal"),
    "code of its own": (lambda: RpcError(-32207, "mine", {"category": "busy"}), -32207, "busy"),
    "unforeseen": (lambda: RuntimeError("secret"), -32603, "internal"),
    "exit": (lambda: SystemExit(3), -32603, "internal"),
    "interrupt": (lambda: KeyboardInterrupt("secret"), -32603, "internal"),
    "no exception": (lambda: Odd("secret"), -32603, "internal"),
    "group": (lambda: ExceptionGroup("g", [ExceptionGroup("h", [NotFound("it")])]), -32602, "not_found"),
    "group of two": (lambda: ExceptionGroup("g", [Unavailable("down"), NotFound("it")]), -32603, "unavailable"),
    "mixed group": (lambda: ExceptionGroup("g", [NotFound("it"), ValueError("secret")]), -32603, "internal"),
    "odd group": (lambda: BaseExceptionGroup("g", [Odd("secret")]), -32603, "internal"),
}


class Clumsy(Plugin):
    """Raises what it is told to, in every form that a handler may have."""

    name = "clumsy"
    version = "1"
    threads = 2

    @method("raise/async")
    async def on_loop(self, mistake: str) -> None:
        raise MISTAKES[mistake][0]()

    @method("raise/plain")
    def on_thread(self, mistake: str) -> None:
        raise MISTAKES[mistake][0]()

    @method("raise/inline")
    @inline
    def at_once(self, mistake: str) -> None:
        raise MISTAKES[mistake][0]()

    @method("raise/handed_on")
    def handed_on(self, mistake: str) -> Awaitable[None]:
        return self.on_loop(mistake)

    @method("raise/generator")
    async def generator(self, mistake: str) -> AsyncIterator[int]:
        yield 1
        raise MISTAKES[mistake][0]()

    @method("raise/task")
    async def in_a_task(self, mistake: str) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.on_loop(mistake))

    @method("stop_iteration")
    def stop_iteration(self) -> int:
        return next(number for number in (1, 2) if number > 5)

    @method("inline_coroutine")
    @inline
    def inline_coroutine(self) -> Any:
        return self.on_loop("told")

    @method("numbers/async")
    async def numbers(self) -> AsyncIterator[int]:
        yield 1
        yield 2


@pytest.mark.parametrize("form", ["async", "plain", "inline", "handed_on", "generator"])
async def test_every_mistake_is_answered_with_its_code_and_no_secret(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Harness(Clumsy, project_root=tmp_path) as host:
        for mistake, (_, code, category) in MISTAKES.items():
            caplog.clear()
            with pytest.raises(RpcError) as raised:
                await host.request(f"raise/{form}", {"mistake": mistake})
            assert (raised.value.code, raised.value.category) == (code, category), mistake
            assert "secret" not in raised.value.message
            logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
            if mistake in ("unforeseen", "exit", "interrupt", "no exception", "mixed group", "odd group"):
                assert (raised.value.message, len(logged)) == ("internal error", 1), mistake
                assert logged[0].exc_info, mistake
                assert ("called sys.exit(3)" in caplog.text) == (mistake == "exit"), mistake
            else:
                assert not logged, mistake
        assert await host.request("$/ping") == {}


@pytest.mark.parametrize("mistake", ["not found", "unforeseen", "no exception"])
async def test_a_mistake_in_a_task_group_is_answered_as_the_mistake_itself(tmp_path: Path, mistake: str) -> None:
    async with Harness(Clumsy, project_root=tmp_path) as host:
        with pytest.raises(RpcError) as raised:
            await host.request("raise/task", {"mistake": mistake})
        assert (raised.value.code, raised.value.category) == MISTAKES[mistake][1:]


async def test_a_stop_iteration_on_a_thread_is_answered_and_explained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Harness(Clumsy, project_root=tmp_path) as host:
        with pytest.raises(RpcError) as raised:
            await host.request("stop_iteration")
    assert raised.value.message == "internal error"
    assert "next() found nothing" in caplog.text


async def test_an_inline_function_that_returns_a_coroutine_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Harness(Clumsy, project_root=tmp_path) as host:
        with pytest.raises(RpcError):
            await host.request("inline_coroutine")
    assert "take @inline off" in caplog.text


async def test_what_an_async_generator_yields_is_the_answer_as_a_list(tmp_path: Path) -> None:
    async with Harness(Clumsy, project_root=tmp_path) as host:
        assert await host.request("numbers/async") == [1, 2]


async def test_a_context_belongs_to_its_request_and_to_nothing_else(tmp_path: Path) -> None:
    class Nosy(Plugin):
        name = "nosy"
        version = "1"
        threads = 3

        @method("id/async")
        async def on_loop(self) -> int | str:
            await asyncio.sleep(0)
            return self.ctx.request_id

        @method("id/plain")
        def on_thread(self) -> int | str:
            return self.ctx.request_id

        @method("id/inline")
        @inline
        def at_once(self) -> int | str:
            return self.ctx.request_id

        @method("id/generator")
        async def generator(self) -> AsyncIterator[int | str]:
            yield self.ctx.request_id

        def stop(self) -> None:
            with pytest.raises(LookupError):
                _ = self.ctx.request_id
            stopped.append(True)

    stopped: list[bool] = []
    plugin = Nosy()
    async with Harness(plugin, project_root=tmp_path) as host:
        forms = ["async", "plain", "inline", "generator"] * 5
        answers = await asyncio.gather(*(host.request(f"id/{form}") for form in forms))
        flat = [answer[0] if isinstance(answer, list) else answer for answer in answers]
        asked = [frame.message["id"] for frame in host.frames if '"id/' in frame.text and frame.direction == ">"]
        assert flat == asked
        with pytest.raises(LookupError):
            _ = plugin.ctx.request_id
        with pytest.raises(MethodNotFound):
            await host.request("id/other")
    assert stopped == [True]


def test_inline_is_refused_where_it_is_written_on_an_async_function() -> None:
    async def awaited() -> None: ...

    async def yielded() -> AsyncIterator[int]:
        yield 1

    def plain() -> Iterator[int]:
        yield 1

    for function in (awaited, yielded):
        with pytest.raises(TypeError, match="take @inline off"):
            inline(function)
    assert inline(plain) is plain
