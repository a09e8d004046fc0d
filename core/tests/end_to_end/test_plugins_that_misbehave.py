"""Plugins that print, die, hang or talk nonsense: each is named with what it wrote, and none stops the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Events, Plugins, Project

pytestmark = pytest.mark.hostile

HAND_WRITTEN = """\
import json, sys, time

NAME, KIND, TOKENS, NOISE = {name!r}, {kind!r}, {tokens!r}, {noise!r}

def say(value):
    sys.stdout.write(NOISE + json.dumps(value) + "\\n" + NOISE)
    sys.stdout.flush()

if "--manifest" in sys.argv:
    print(json.dumps({{"name": NAME, "version": "1.0.0", "plugin_kind": KIND, "description": "by hand",
                      "protocol_version": "1.0.0", "capabilities": TOKENS}}))
    sys.exit()
for line in sys.stdin:
    request = json.loads(line)
    method, params = request["method"], request.get("params") or {{}}
    if method == "initialize":
        {greeting}
        info = {{"name": NAME, "version": "1.0.0", "plugin_kind": KIND}}
        result = {{"protocol_version": "1.0.0", "plugin_info": info,
                  "capabilities": {{"methods": TOKENS, "subject_kinds": [NAME]}}}}
    elif method.endswith(("/get", "/status")):
        now = "2026-01-02T03:04:05Z"
        result = {{"id": params["id"], "kind": NAME, "title": "By hand", "status": "ready",
                  "created_at": now, "updated_at": now}}
    elif method == "agent/run":
        result = {{"session_id": params["session_id"], "exit_code": 0, "output": "done", "duration_ms": 1,
                  "backend": NAME}}
    elif method == "exit":
        sys.exit()
    else:
        result = {{}}
    if "id" in request:
        say({{"jsonrpc": "2.0", "id": request["id"], "result": result}})
"""

GREETINGS = {
    "noisy": "pass",
    "dead": 'sys.stderr.write("no licence found\\n"); sys.exit(3)',
    "silent": "time.sleep(600)",
    "garbled": 'say({"jsonrpc": "2.0", "id": request["id"], "result": "hello"}); continue',
}
FAILING = ("dead", "silent", "garbled")
NOISE = "Loading 42 models... {not json\n\n[]\n"

PRINTING_SUBJECTS = """\
from datetime import UTC, datetime

from animus_protocol.models.subject import Subject, SubjectStatus
from animus_sdk import SubjectBackend, serve

print("imported")

class Printing(SubjectBackend):
    name = "printing"
    version = "1.0.0"
    description = "Prints while it works."
    subject_kinds = ("printing",)

    async def get(self, id):
        print("looking for", id)
        now = datetime.now(UTC)
        return Subject(id=id, kind="printing", title="Printed", status=SubjectStatus.READY,
                       created_at=now, updated_at=now)

    async def status(self, id, status):
        print("moving", id)
        return await self.get(id)

serve(Printing)
"""

PRINTING_PROVIDER = """\
from animus_protocol.models.provider import AgentRunResponse
from animus_sdk import Provider, serve

print("imported")

class Printing(Provider):
    name = "printing"
    version = "1.0.0"
    description = "Prints while it works."
    tool = "printing"
    models = ("any",)

    async def run(self, request, ctx):
        print("working")
        return AgentRunResponse(session_id=ctx.session_id, exit_code=0, output="printed", duration_ms=1, backend="p")

serve(Printing)
"""

WORKFLOWS = """\
default_workflow_ref: deliver
daemon: {{ pool_size: 6 }}
agents:
  default: {{ tool: mock }}
{agents}
phases:
  work: {{ mode: agent, idempotency: idempotent }}
{phases}
workflows:
  - {{ id: deliver, phases: [work] }}
{workflows}
"""


def by_hand(name: str, kind: str) -> str:
    """The source of a plugin that misbehaves as its name says."""
    tokens = [f"subject_kind:{name}", f"{name}/get"] if kind == "subject_backend" else ["agent/run"]
    noise = NOISE if name == "noisy" else ""
    return HAND_WRITTEN.format(name=name, kind=kind, tokens=tokens, noise=noise, greeting=GREETINGS[name])


def test_a_subject_backend_that_fails_is_named_and_those_that_only_print_work(
    project: Project, animus: Animus, stopped_daemon: Daemon, plugins: Plugins, events: Events
) -> None:
    for name in GREETINGS:
        plugins.add(name, by_hand(name, "subject_backend"))
    plugins.add("printing", PRINTING_SUBJECTS)
    stopped_daemon.start(env={"ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S": "5"})

    dead, silent, garbled, noisy, printing, files = animus.together(
        *(["queue", "enqueue", "X-1", "--kind", name] for name in ("dead", "silent", "garbled", "noisy", "printing")),
        ["queue", "enqueue", "TASK-001"],
    )
    for failed in (dead, silent, garbled):
        assert (failed.code, failed.error["code"]) == (5, "unavailable")
        assert "Fix the plugin" in failed.printed
    assert "plugin dead: it ended (exit code 3) during initialize\n" in dead.printed
    assert "  | no licence found" in dead.printed
    assert "plugin silent: did not answer initialize within 5 s\n" in silent.printed
    assert "plugin garbled: the result of initialize does not fit" in garbled.printed
    assert (noisy.code, printing.code, files.code) == (0, 0, 0), (noisy, printing, files)
    for kind in ("noisy", "printing", "task"):
        events.wait("workflow_completed", subject_kind=kind)

    again = animus.text("queue", "enqueue", "X-1", "--kind", "dead")
    assert again.code == 5
    assert again.stderr.startswith("animus: plugin dead: ")


def test_a_plugin_that_has_no_manifest_is_listed_with_the_reason(animus: Animus, plugins: Plugins) -> None:
    plugins.add("exits", "raise SystemExit(3)")
    plugins.add("babbles", "print('hello')")
    plugins.command("missing", ["/nowhere/plugin"])
    listed = animus.text("plugin", "list")
    assert listed.code == 0
    for line in (
        "not usable: plugin exits: --manifest ended with exit code 3",
        "not usable: plugin babbles: its manifest is not valid",
        "not usable: plugin missing: cannot be started: /nowhere/plugin: No such file or directory",
        "  fix: See why: ",
        "animus-subject-files",
    ):
        assert line in listed.stdout


def test_a_provider_that_fails_ends_its_own_run_and_those_that_only_print_finish_theirs(
    project: Project, animus: Animus, stopped_daemon: Daemon, plugins: Plugins, events: Events
) -> None:
    for name in GREETINGS:
        plugins.add(name, by_hand(name, "provider"))
    plugins.add("printing", PRINTING_PROVIDER)
    names = [*GREETINGS, "printing"]
    project.workflows(
        WORKFLOWS.format(
            agents="\n".join(f"  {name}: {{ tool: {name} }}" for name in names),
            phases="\n".join(f"  {name}: {{ mode: agent, agent: {name}, idempotency: idempotent }}" for name in names),
            workflows="\n".join(f"  - {{ id: {name}, phases: [{name}] }}" for name in names),
        )
    )
    stopped_daemon.start(env={"ANIMUS_PLUGIN_HANDSHAKE_TIMEOUT_S": "2"})
    commands = (["queue", "enqueue", name, "--kind", "custom", "--workflow", name] for name in names)
    assert all(result.code == 0 for result in animus.together(*commands))

    for name in ("noisy", "printing"):
        events.wait("workflow_completed", subject_id=name)
    blocked = {name: events.wait("workflow_blocked", subject_id=name)["payload"] for name in FAILING}
    assert "plugin dead: it ended (exit code 3) during initialize" in blocked["dead"]["reason"]
    assert "no licence found" in blocked["dead"]["reason"]
    assert "plugin silent: did not answer initialize within 2 s" in blocked["silent"]["reason"]
    assert "plugin garbled: the result of initialize does not fit" in blocked["garbled"]["reason"]

    for name, payload in blocked.items():
        run = payload["workflow_id"]
        assert f"animus workflow resume {run}" in payload["hint"]
        plugins.add(name, by_hand("noisy", "provider"))
    resumed = animus.together(*(["workflow", "resume", payload["workflow_id"]] for payload in blocked.values()))
    assert [result.code for result in resumed] == [0, 0, 0]
    for name in blocked:
        events.wait("workflow_completed", subject_id=name)
