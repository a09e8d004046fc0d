"""`animus plugin …`: its commands and their options."""

from __future__ import annotations

import argparse
from pathlib import Path

from animus_core.cli.parsing import Group, seconds

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    from animus_core.cli.output import Output

__all__ = ["register_plugin"]


def register_plugin(group: Group) -> None:
    """Add the commands of the group."""
    listing = group.command("list", _list, "plugins, and why some cannot be used")
    listing.add_argument("--kind", help="only this kind, for example subject")
    listing.add_argument("--include-system-path", action="store_true", help="look in PATH as well")
    listing.add_argument("--refresh", action="store_true", help="ask every plugin for its manifest again")
    _register_live(group)
    group.command("info", _info, "all that is known of one plugin").add_argument("name")
    _register_installation(group)
    group.command("doctor", _doctor, "every problem with plugins, and what fixes it")
    _register_development(group)


def _register_live(group: Group) -> None:
    status = group.command("status", _status, "which run, and how they are", light=True)
    status.add_argument("name", nargs="?", help="one plugin (all)")
    group.command("ping", _ping, "whether it answers, and how fast", light=True).add_argument("name")
    call = group.command("call", _call, "call any method of a plugin")
    call.add_argument("name")
    call.add_argument("method")
    call.add_argument("values", nargs="*", metavar="key=value", help="params, read by the method's types")
    call.add_argument("--params", metavar="JSON", help="the params as one JSON object")
    call.add_argument("--timeout-secs", type=seconds, metavar="S", help="how long it may take (30)")
    group.command("restart", _restart, "start it again, also when disabled", light=True).add_argument("name")


def _register_installation(group: Group) -> None:
    install = group.command("install", _install, "install a plugin")
    install.add_argument("source", help="a wheel, an sdist, a folder, an executable file, or NAME[==VERSION]")
    install.add_argument("--name", help="the name under which it is used (its own)")
    install.add_argument("--dev", action="store_true", help="use a folder in place, as its author works on it")
    install.add_argument(
        "--yes",
        action="store_true",
        help="agree to what a name leads to, and replace a plugin of this name from elsewhere",
    )
    group.command("uninstall", _uninstall, "remove what was installed").add_argument("name")
    group.group("lock", "what was installed, and whether it still is the same", _register_lock)


def _register_lock(lock: Group) -> None:
    verify = lock.command("verify", _lock_verify, "hash what was installed again")
    verify.add_argument("name", nargs="?", help="one plugin (all)")


def _register_development(group: Group) -> None:
    new = group.command("new", _new, "begin a plugin, from a template")
    kinds = "subject, provider, trigger, transport, web-ui, log-storage or notifier"
    new.add_argument("--kind", required=True, help=kinds)
    new.add_argument("--name", required=True, help="what follows animus-KIND- in the plugin's name")
    new.add_argument("--path", type=Path, default=Path(), metavar="DIR", help="where its folder is made (here)")
    new.add_argument("--author", help="who holds the copyright")
    new.add_argument("--license", help="MIT (that is the default), Apache-2.0, BSD-3-Clause or none")
    new.add_argument("--description", help="what it does, in one line")
    group.group("template", "the template that a plugin was made from", _register_template)
    dev = group.command("dev", _dev, "run a plugin while you work on it, and see every frame")
    dev.add_argument("path", type=Path, help="its project's folder, an executable, or a .py file")
    dev.add_argument("arguments", nargs="*", metavar="ARG", help="after --: what the plugin is started with")
    dev.add_argument("--full", action="store_true", help="do not cut lines to the terminal's width")


def _register_template(template: Group) -> None:
    text = "what the template has changed since; exit code 1 if there is something"
    check = template.command("check", _template_check, text)
    check.add_argument("path", nargs="?", type=Path, default=Path(), help="the plugin's folder (here)")
    check.add_argument("--accept", action="store_true", help="do not show it again; exit code 0")


def _list(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.inspection import list_plugins

    return list_plugins(args, output)


def _info(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.inspection import info

    return info(args, output)


def _doctor(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.inspection import doctor

    return doctor(args, output)


def _lock_verify(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.inspection import lock_verify

    return lock_verify(args, output)


def _status(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.live import status

    return status(args, output)


def _ping(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.live import ping

    return ping(args, output)


def _call(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.call import call

    return call(args, output)


def _restart(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.live import restart

    return restart(args, output)


def _install(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.install import install

    return install(args, output)


def _uninstall(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.install import uninstall

    return uninstall(args, output)


def _new(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.template import new

    return new(args, output)


def _template_check(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.template import template_check

    return template_check(args, output)


def _dev(args: argparse.Namespace, output: Output) -> int:
    from animus_core.cli.plugin.dev.command import dev

    return dev(args, output)
