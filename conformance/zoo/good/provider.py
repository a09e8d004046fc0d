"""A good provider: an agent of a few sentences that streams, uses tools, is cancelled, and goes on where it was.

The prompt decides what it does: one that names `numbers` counts until it is cancelled, `files` uses tools, `folder`
tells where it works. `--variant` names another way to keep the protocol: `plain`, `quiet`, `patient` (protocol §4).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from lines import Any, Call, Json, Plugin, Refused

VARIANT = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else ""
METHODS = ["agent/run"] if VARIANT == "plain" else ["agent/run", "agent/resume", "agent/cancel"]
FINAL = "final" if VARIANT == "quiet" else "is_final"
PIECE_S = 0.02


class Run:
    """One run: what it tells, and what its result will say. `stopped` is set when it is to end early.

    It is `over` before its reply is written: what comes right behind the reply finds nothing that runs.
    """

    def __init__(self, params: Json, call: Call) -> None:
        self._began = time.monotonic()
        self.call = call
        self.over = False
        self._prompt = text_of(params, "prompt")
        self._cwd = text_of(params, "cwd")
        self.session_id = params.get("session_id") or os.urandom(8).hex()
        self.stopped = threading.Event() if VARIANT == "patient" else call.cancelled
        limit_s = params.get("timeout_secs")
        self._deadline = self._began + limit_s if isinstance(limit_s, int) and VARIANT != "patient" else float("inf")
        self._output = ""
        self._thinking: list[str] = []

    def perform(self) -> Json:
        """Do what the prompt asks for; the result."""
        self._think("What is asked of me?")
        tasks = {"numbers": self._count, "files": self._list_files, "folder": self._tell_folder}
        return next((task for word, task in tasks.items() if word in self._prompt), self._greet)()

    def _greet(self) -> Json:
        return self._answer("I am ready – ", "bereit, ", "готов.\n")

    def _tell_folder(self) -> Json:
        return self._answer("I work in ", os.path.realpath(self._cwd))

    def _list_files(self) -> Json:
        self._tell("toolCall", name="list_files", arguments={"path": self._cwd}, server="files")
        self._tell("toolCall", name="read_file", arguments={"path": "README.md"})
        self._tell("toolResult", name="read_file", output="no such file", success=False)
        self._tell("error", message="README.md cannot be read", recoverable=True)
        self._tell("toolResult", name="list_files", output=sorted(os.listdir(self._cwd)), success=True)
        return self._answer("That is all ", "there is.")

    def _count(self) -> Json:
        number = 0
        while not self.stopped.wait(PIECE_S):
            number += 1
            self._say(f"{number} ")
            if time.monotonic() > self._deadline:
                raise Refused(-32003, "the run took too long", "timeout")
        return self._cancelled()

    def _answer(self, *pieces: str) -> Json:
        for piece in pieces[:-1]:
            self._say(piece)
            if self.stopped.wait(PIECE_S):
                return self._cancelled()
        self._say(pieces[-1], last=True)
        return self._response(0)

    def _cancelled(self) -> Json:
        if VARIANT == "quiet":
            return self._response(130)
        self._tell("error", message="the run was cancelled", recoverable=False)
        raise Refused(-32002, "the run was cancelled", "cancelled")

    def _think(self, text: str) -> None:
        self._thinking.append(text)
        self._tell("thinking", text=text)

    def _say(self, text: str, *, last: bool = False) -> None:
        self._output += text
        self._tell("output", text=text, **{FINAL: last})

    def _tell(self, what: str, **params: Any) -> None:
        if VARIANT == "quiet":
            self.call.wire.tell("log/entry", {"level": "debug", "target": "agent", "message": what})
        if VARIANT != "plain":
            self.call.wire.tell(f"agent/{what}", {"session_id": self.session_id, **params})

    def _response(self, exit_code: int) -> Json:
        optional: Json = {"thinking": self._thinking, "tokens_used": {"input": 12, "output": 7, "cached": 0}}
        if VARIANT == "plain":
            optional = {"metadata": None, "tool_calls": None, "tool_results": None, "errors": None, "tokens_used": None}
        return {
            "session_id": self.session_id,
            "exit_code": exit_code,
            "output": self._output,
            "duration_ms": int((time.monotonic() - self._began) * 1000),
            "backend": "sentences",
            **optional,
        }


class Provider(Plugin):
    """The three methods, over the runs that are live and a file with the sessions that were."""

    def __init__(self) -> None:
        manifest: Json = {
            "name": "good-provider",
            "version": "1.0.0",
            "plugin_kind": "provider",
            "description": "An agent of a few sentences.",
            "protocol_version": "1.1.0" if VARIANT == "quiet" else "1.0.0",
            "capabilities": METHODS,
        }
        capabilities: Json = {"methods": METHODS, "streaming": True, "cancellation": True}
        if VARIANT == "plain":
            manifest.update(plugin_kinds=None, env_required=None, notification_buffer_size=None, supports_mcp=None)
            capabilities.update(streaming=None, progress=None, cancellation=False, mcp_tools=None)
        if VARIANT == "quiet":
            del manifest["capabilities"]
        if VARIANT == "patient":
            capabilities.update(methods=[])
        served = {"agent/run": self._run, "agent/resume": self._resume, "agent/cancel": self._cancel}
        methods = {name: served[name] for name in METHODS}
        super().__init__(manifest, capabilities, methods, frozenset({"agent/run", "agent/resume"}))
        self._live: dict[str, Run] = {}
        self._changed = threading.Condition()

    def _run(self, params: Json, call: Call) -> Json:
        return self._perform(Run(params, call))

    def _resume(self, params: Json, call: Call) -> Json:
        run = Run(params, call)
        if not self._is_known(run.session_id):
            raise Refused(-32602, f"no session {run.session_id!r}", "not_found")
        return self._perform(run)

    def _cancel(self, params: Json, call: Call) -> Json:
        session_id = text_of(params, "session_id")
        with self._changed:
            run = self._live.get(session_id)
            runs = run is not None and not run.over
        if run is not None:
            run.stopped.set()
        if VARIANT == "patient" and not runs:
            raise Refused(-32602, f"no session {session_id!r} runs", "not_found")
        return {"session_id": session_id, "cancelled": runs}

    def _perform(self, run: Run) -> Json:
        self._enter(run)
        try:
            with open(self._file(), "a", encoding="utf-8") as file:
                file.write(json.dumps(run.session_id) + "\n")
            return run.perform()
        finally:
            run.over = True

    def _enter(self, run: Run) -> None:
        with self._changed:
            running = [one.session_id for one in self._live.values() if not one.over]
            if VARIANT == "patient":
                self._changed.wait_for(lambda: run.session_id not in self._live)
            elif VARIANT == "plain" and running:
                raise Refused(-32603, "one run at a time", "unavailable")
            elif run.session_id in running:
                raise Refused(-32600, f"session {run.session_id!r} is running", "conflict")
            self._live[run.session_id] = run

    def _answer(self, method: str, params: Json, call: Call) -> None:
        super()._answer(method, params, call)
        with self._changed:  # only now: a run that waits for this one must not say anything before its reply
            self._live = {one: run for one, run in self._live.items() if run.call is not call}
            self._changed.notify_all()

    def _is_known(self, session_id: str) -> bool:
        try:
            with open(self._file(), encoding="utf-8") as file:
                return any(json.loads(line) == session_id for line in file)
        except FileNotFoundError:
            return False

    def _file(self) -> str:
        return os.path.join(self.project_root, ".sessions")


def text_of(params: Json, name: str) -> str:
    """A text that has to be there."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(-32602, f"{name}: expected a text, not {value!r:.40}", "invalid_request")
    return value


def main() -> None:
    Provider().serve()


if __name__ == "__main__":
    main()
