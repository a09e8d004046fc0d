"""`animus plugin` and the control socket on what is there: what is not ours, faults and fixes, kinds by their names."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Animus, Daemon, Plugins, Project, Wheels

from animus_core.supply.distributions import how_to_install
from animus_core.supply.trust.trust import revoke
from plugin_installation import ANSWER_S, NAME, register


def test_what_animus_did_not_install_is_not_uninstalled_but_named_with_the_way(
    offline: Animus, config_dir: Path, executable: Callable[..., Path], plugins: Plugins
) -> None:
    plugins.command("mine", [str(executable("mine"))])
    (config_dir / "plugins").mkdir()
    shutil.copy(executable("x"), config_dir / "plugins" / NAME)
    names = {
        "mine": f"take plugins.mine out of {config_dir}/plugins.yaml",
        NAME: f"rm {config_dir}/plugins/{NAME}",
        "animus-provider-mock": "-m pip uninstall animus-provider-mock",
        "nobody": "animus plugin list",
    }
    results = offline.together(*(["plugin", "uninstall", name] for name in names))
    for result, fix in zip(results, names.values(), strict=True):
        assert (result.code, result.error["code"]) == (3, "not_found")
        assert fix in result.printed
    taken = offline("plugin", "install", str(executable("mine")))
    assert (taken.code, taken.error["code"]) == (4, "conflict")
    assert f"{config_dir}/plugins.yaml:2: plugins.mine" in taken.printed


async def test_the_doctor_names_each_fault_with_its_fix_and_executes_nothing_untrusted(
    offline: Animus, config_dir: Path, project: Project, executable: Callable[..., Path], wheels: Wheels
) -> None:
    claims = {"plugin_kind": "subject_backend", "capabilities": ["subject_kind:task"]}
    kept = {name: executable(name, **claims) for name in ("twin", "gone", "still")}
    for path in kept.values():
        await register(config_dir, path)
    kept["gone"].unlink()
    kept["still"].chmod(0o644)
    evil = project.write(".animus/plugins/animus-notifier-evil", f"#!/bin/sh\ntouch {project.root}/mark\n")
    evil.chmod(0o755)
    revoke(config_dir, project.root)

    examined = offline("plugin", "doctor")
    assert (examined.code, examined.error["code"]) == (5, "unavailable")
    problems = {(one["check"], one["plugin"]): one for one in examined.error["details"]["problems"]}
    assert problems[("program", "gone")]["fix"] == "animus plugin uninstall gone"
    assert problems[("program", "still")]["fix"] == f"chmod +x {kept['still']}"
    assert problems[("usable", "animus-notifier-evil")]["fix"] == "animus trust"
    [twin] = [one for (check, _), one in problems.items() if check == "subject-kind"]
    assert "claims subject kind 'task'" in twin["message"]
    assert examined.printed.startswith("4 problems with plugins\n")

    inspected = offline("plugin", "info", "animus-notifier-evil")
    assert (inspected.data["usable"], inspected.data["fix"]) == (False, "animus trust")
    assert not (project.root / "mark").exists()

    (config_dir / "plugins.lock").write_text("{")
    (config_dir / "plugins.yaml").write_text("plugins: {x: {binry: /x}}\n")
    checks = [one["check"] for one in offline("plugin", "doctor").error["details"]["problems"]]
    assert checks == ["registry", "lock"]
    assert offline("plugin", "lock", "verify").code == 5


def test_preflight_names_the_command_that_installs_or_the_fix_of_what_is_there(
    offline: Animus, project: Project, plugins: Plugins, config_dir: Path
) -> None:
    project.write(".animus/config.json", '{"default_subject_kind": "linear.issue"}')
    project.workflows(
        "default_workflow_ref: w\nagents: { default: { tool: absent, model: m } }\n"
        "phases: { p: { mode: agent, idempotency: idempotent, directive: x } }\nworkflows: [{ id: w, phases: [p] }]\n"
    )
    missing = offline("daemon", "preflight").error["details"]["missing"]
    assert [one["fix"] for one in missing] == [
        how_to_install("animus-subject-linear"),
        how_to_install("animus-provider-absent"),
    ]
    folder = config_dir / "plugins"
    folder.mkdir()
    (folder / "animus-provider-absent").touch(0o644)
    missing = offline("daemon", "preflight").error["details"]["missing"]
    assert [one["fix"] for one in missing] == [
        how_to_install("animus-subject-linear"),
        f"chmod +x {folder}/animus-provider-absent",
    ]


def test_the_control_socket_installs_and_removes_too(
    project: Project, offline: Animus, daemon: Daemon, executable: Callable[..., Path], wheels: Wheels
) -> None:
    source = str(executable(NAME))

    def ask(method: str, **params: object) -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(project.scope.control_socket))
            frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            connection.sendall(json.dumps(frame).encode() + b"\n")
            with connection.makefile() as lines:
                answer = json.loads(next(lines))
        return answer.get("result", answer.get("error"))

    installed = ask("plugin/install", source=source)
    assert (installed["plugin"]["name"], installed["plugin"]["lock"]) == (NAME, "locked")
    assert installed["steps"] == [{"step": f"probing {NAME}"}]
    assert NAME in [one["name"] for one in ask("plugin/list")["plugins"]]
    assert ask("plugin/info", name=NAME)["binary_path"] == source
    assert ask("plugin/install", source=source, version="2")["data"]["category"] == "invalid_request"
    other = wheels.build("animus-notifier-y")
    refused = ask("plugin/install", source="animus-notifier-y")
    assert f"from {other.as_uri()}" in refused["message"]
    agreed = ask("plugin/install", source="animus-notifier-y", yes=True)
    assert agreed["plugin"]["name"] == "animus-notifier-y"
    assert any(f"from {other.as_uri()}" in step["step"] for step in agreed["steps"])
    assert ask("plugin/info", name="nobody")["data"]["category"] == "not_found"
    removed = offline.text("plugin", "uninstall", NAME)
    assert "animus plugin restart" in removed.stdout
    assert ask("plugin/uninstall", name=NAME)["data"]["category"] == "not_found"
    assert ask("plugin/info", name=NAME)["data"]["category"] == "not_found"
    for method, params in (("search", {"query": "x"}), ("browse", {}), ("update", {})):
        assert ask(f"plugin/{method}", **params)["code"] == -32001


def test_a_kind_is_known_by_the_name_that_people_type_and_a_slip_is_no_empty_list(animus: Animus) -> None:
    typed, own, none, slip = animus.together(
        *(["plugin", "list", "--kind", kind] for kind in ("subject", "subject_backend", "queue", "subjects"))
    )
    assert typed.data["plugins"] == own.data["plugins"]
    assert {row["kind"] for row in own.data["plugins"]} == {"subject_backend"}
    assert (none.code, none.data["plugins"]) == (0, [])
    assert (slip.code, slip.error["message"]) == (2, "--kind subjects: no plugin is of this kind")
    assert "subject_backend" in slip.printed
