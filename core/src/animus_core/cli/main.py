"""The entry point of `animus`: the tree of commands, the project's root, errors to exit codes.

Called by the console script; below lie the command modules, which are imported only when their command runs, so that
`--help` stays quick.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

__all__ = ["build_parser", "main"]

_INTERRUPTED: Final = 130
_TRACEBACK_VARIABLE: Final = "ANIMUS_TRACEBACK"

if TYPE_CHECKING:
    from animus_core.errors import AnimusError

    _Group = argparse._SubParsersAction["_Parser"]  # generic in the type stubs alone


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 ok, 1 internal, 2 invalid input, 3 not found, 4 conflict, 5 unavailable."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output left: nobody to tell
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong, people read a sentence
        from animus_core.cli.output import Output

        return Output(json_mode="--json" in words).failure(_unexpected(error))


def _run(words: Sequence[str]) -> int:
    if list(words) in (["--version"], ["-V"]):
        words = ["version"]
    try:
        args = build_parser().parse_args(words)
        if getattr(args, "run", None) is None:
            if "--json" in words:
                args.usage.error("a command is missing")
            args.usage.print_help()
            return 2
        module, function = args.run.split(":")
        command = getattr(importlib.import_module(f"animus_core.cli.{module}"), function)
    except _Misused as misuse:
        from animus_core.cli.output import Output
        from animus_core.errors import InvalidInput

        return Output(json_mode="--json" in words).failure(InvalidInput(misuse.message, hint=misuse.usage))
    from animus_core.cli.output import Output
    from animus_core.errors import AnimusError

    output = Output(json_mode=getattr(args, "json", False))
    _keep_the_log_silent()
    try:
        code: int = command(args, output)
    except AnimusError as error:
        return output.failure(error)
    return code


def _keep_the_log_silent() -> None:
    """What a process writes to its log is for whoever keeps one; a command says all it has to say by itself."""
    import logging

    logging.getLogger("animus").addHandler(logging.NullHandler())


def _unexpected(error: Exception) -> AnimusError:
    """What people are told of an exception that is none of ours."""
    from pydantic import ValidationError

    from animus_core.errors import Internal, InvalidInput

    if isinstance(error, ValidationError):  # a value from the command line that a method's parameters do not take
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return InvalidInput(f"{where} is {first['input']!r}: {first['msg']}", hint="Give it another value.")
    if os.environ.get(_TRACEBACK_VARIABLE):
        import traceback

        traceback.print_exception(error)
    hint = f"This is a fault of animus. {_TRACEBACK_VARIABLE}=1 shows where it is: please report that."
    return Internal(f"{type(error).__name__}: {error}", hint=hint)


class _Misused(Exception):
    """The command line does not fit."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.message = message
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong, so that it is told like every other error.

    Options are written out: what is short for one today may be short for two tomorrow.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Raise `_Misused`."""
        raise _Misused(message, self.format_usage().rstrip())


def build_parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON envelope")
    common.add_argument(
        "--project-root", type=Path, default=argparse.SUPPRESS, help="the project (default: Git's root, else here)"
    )
    parser = _Parser(
        prog="animus", description="Autonomous work: subjects through workflows, worked by providers.", parents=[common]
    )
    parser.set_defaults(usage=parser)
    groups = parser.add_subparsers(title="commands", metavar="COMMAND")
    _Tree(groups, common).build()
    return parser


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 0 or more")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")
    return int(text)


class _Tree:
    """Adds commands to the parser, each with the common options."""

    def __init__(self, groups: _Group, common: _Parser) -> None:
        self._groups = groups
        self._common = common

    def build(self) -> None:
        """The whole tree."""
        self._command(self._groups, "init", "project_commands:init", "write .animus/ with a starter workflow")
        self._trust()
        self._daemon()
        self._queue()
        self._workflow()
        self._subject()
        self._plugin()
        watch = self._command(self._groups, "watch", "watch:watch", "see every run, its phase and what its agent says")
        watch.add_argument("--until-idle", action="store_true", help="leave when nothing is queued or running")
        self._command(self._groups, "version", "project_commands:version", "the installed version")

    def _trust(self) -> None:
        text = "see what of this repository would be executed, and trust it"
        trust = self._command(self._groups, "trust", "trust_commands:trust", text)
        trust.add_argument("--yes", action="store_true", help="do not ask")
        which = trust.add_mutually_exclusive_group()
        warning = "whoever can change a file of this repository, an agent too, then decides what your account executes"
        which.add_argument("--auto", action="store_true", help=f"trust every later change unseen. Careful: {warning}")
        which.add_argument("--ask", action="store_true", help="undo --auto: later changes wait for you again")
        which.add_argument("--revoke", action="store_true", help="trust nothing of this repository any more")
        which.add_argument("--show", action="store_true", help="only show; exit code 4 when it is not trusted")

    def _daemon(self) -> None:
        group = self._group("daemon", "the process that works the queue off")
        start = self._command(group, "start", "daemon_commands:start", "start it in the background")
        run = self._command(group, "run", "daemon_commands:run", "run it in the foreground")
        for one in (start, run):
            one.add_argument("--skip-preflight", action="store_true", help="do not check providers and backends first")
        stop = self._command(group, "stop", "daemon_commands:stop", "let runs finish, then stop it")
        stop.add_argument("--drain-secs", type=_seconds, metavar="S", help="how long runs may still finish (60)")
        self._command(group, "status", "daemon_commands:status", "whether it runs, and what it does")
        self._command(group, "pause", "daemon_commands:pause", "start no new work; running work goes on")
        self._command(group, "resume", "daemon_commands:resume", "start new work again")
        self._command(group, "preflight", "daemon_commands:preflight", "what is missing, and the fix")
        events = self._command(group, "events", "daemon_commands:events", "events as JSON lines, until interrupted")
        events.add_argument("--since", metavar="ID", help="the id of the last event you saw (0: from the beginning)")

    def _queue(self) -> None:
        group = self._group("queue", "accepted work in its order")
        enqueue = self._command(group, "enqueue", "queue_commands:enqueue", "work on a subject")
        enqueue.add_argument("subject", nargs="+", help="ids of subjects, for example TASK-001")
        enqueue.add_argument("--kind", help="the subjects' kind (the project's default_subject_kind, else task)")
        enqueue.add_argument("--workflow", metavar="REF", help="the workflow (the project's default)")
        enqueue.add_argument("--priority", metavar="P", help="critical, high, medium or low")
        enqueue.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a workflow variable")
        listing = self._command(group, "list", "queue_commands:list_entries", "what waits and what is worked on")
        listing.add_argument("--status", choices=["ready", "held", "in-flight", "done", "dropped"])
        listing.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (100)")
        self._command(group, "stats", "queue_commands:stats", "how many entries in which status")
        for verb, what in (("hold", "keep it from starting"), ("release", "let it start again"), ("drop", "remove it")):
            one = self._command(group, verb, f"queue_commands:{verb}", what)
            one.add_argument("entry", nargs="+", help="ids of entries, or of their subjects")
            if verb == "hold":
                one.add_argument("--reason")

    def _workflow(self) -> None:
        group = self._group("workflow", "runs, and the files that define them")
        self._command(group, "validate", "workflow_commands:validate", "check .animus/workflows.yaml and workflows/")
        listing = self._command(group, "list", "workflow_commands:list_runs", "runs, the newest first")
        listing.add_argument("--status", choices=["pending", "running", "paused", "completed", "failed", "cancelled"])
        listing.add_argument("--limit", type=_count, default=50, metavar="N", help="at most so many (50)")
        for verb, what in (
            ("get", "one run with its phases"),
            ("resume", "repeat the phase of a blocked run"),
            ("cancel", "end a run"),
        ):
            one = self._command(group, verb, f"workflow_commands:{verb}", what)
            one.add_argument("run_id", metavar="RUN")
            if verb == "resume":
                one.add_argument("--feedback", help="what to tell the run")
            if verb == "cancel":
                one.add_argument("--reason")

    def _subject(self) -> None:
        group = self._group("subject", "work items, wherever they live")
        listing = self._command(group, "list", "subject_commands:list_subjects", "subjects and their status")
        changes = self._command(group, "watch", "subject_commands:watch", "changes as JSON lines, until interrupted")
        for one in (listing, changes):
            one.add_argument("--kind", action="append", help="only this kind (may be repeated)")
            one.add_argument("--status", action="append", help="only this status (may be repeated)")
        self._command(group, "get", "subject_commands:get", "one subject").add_argument("subject")
        status = self._command(group, "status", "subject_commands:status", "set a subject's status")
        status.add_argument("subject")
        status.add_argument("status", choices=["ready", "in-progress", "blocked", "done", "cancelled"])
        create = self._command(group, "create", "subject_commands:create", "a new subject")
        create.add_argument("title")
        create.add_argument("--kind", default="task")
        create.add_argument("--body")
        create.add_argument("--priority", choices=["critical", "high", "medium", "low"])

    def _plugin(self) -> None:
        group = self._group("plugin", "plugins: install them, look at them")
        listing = self._command(group, "list", "plugin_commands:list_plugins", "plugins, and why some cannot be used")
        listing.add_argument("--kind", help="only this kind, for example subject")
        listing.add_argument("--include-system-path", action="store_true", help="look in PATH as well")
        listing.add_argument("--refresh", action="store_true", help="ask every plugin for its manifest again")
        status = self._command(group, "status", "plugin_live_commands:status", "which run, and how they are")
        status.add_argument("name", nargs="?", help="one plugin (all)")
        ping = self._command(group, "ping", "plugin_live_commands:ping", "whether it answers, and how fast")
        ping.add_argument("name")
        call = self._command(group, "call", "plugin_live_commands:call", "call any method of a plugin")
        call.add_argument("name")
        call.add_argument("method")
        call.add_argument("values", nargs="*", metavar="key=value", help="params, read by the method's types")
        call.add_argument("--params", metavar="JSON", help="the params as one JSON object")
        call.add_argument("--timeout-secs", type=_seconds, metavar="S", help="how long it may take (30)")
        restart = self._command(group, "restart", "plugin_live_commands:restart", "start it again, also when disabled")
        restart.add_argument("name")
        info = self._command(group, "info", "plugin_commands:info", "all that is known of one plugin")
        info.add_argument("name")
        install = self._command(group, "install", "plugin_install_commands:install", "install a plugin")
        install.add_argument("source", help="a wheel, an sdist, a folder, an executable file, or NAME[==VERSION]")
        install.add_argument("--name", help="the name under which it is used (its own)")
        install.add_argument("--dev", action="store_true", help="use a folder in place, as its author works on it")
        install.add_argument("--yes", action="store_true", help="replace a plugin of this name from elsewhere")
        uninstall = self._command(group, "uninstall", "plugin_install_commands:uninstall", "remove what was installed")
        uninstall.add_argument("name")
        text = "what was installed, and whether it still is the same"
        lock = group.add_parser("lock", help=text, description=text, parents=[self._common])
        lock.set_defaults(usage=lock)
        locks = lock.add_subparsers(title="commands", metavar="COMMAND")
        verify = self._command(locks, "verify", "plugin_commands:lock_verify", "hash what was installed again")
        verify.add_argument("name", nargs="?", help="one plugin (all)")
        self._command(group, "doctor", "plugin_commands:doctor", "every fault with plugins, and what mends it")
        self._plugin_templates(group)
        run = self._command(group, "dev", "plugin_dev:dev", "run a plugin while you work on it, and see every frame")
        run.add_argument("path", type=Path, help="its project's folder, an executable, or a .py file")
        run.add_argument("arguments", nargs="*", metavar="ARG", help="after --: what the plugin is started with")
        run.add_argument("--full", action="store_true", help="do not cut lines to the terminal's width")

    def _plugin_templates(self, group: _Group) -> None:
        new = self._command(group, "new", "plugin_template_commands:new", "begin a plugin, from a template")
        kinds = "subject, provider, trigger, transport, web-ui, log-storage or notifier"
        new.add_argument("--kind", required=True, help=kinds)
        new.add_argument("--name", required=True, help="what follows animus-KIND- in the plugin's name")
        new.add_argument("--path", type=Path, default=Path(), metavar="DIR", help="where its folder is made (here)")
        new.add_argument("--author", help="who holds the copyright")
        new.add_argument("--license", help="MIT (that is the default), Apache-2.0, BSD-3-Clause or none")
        new.add_argument("--description", help="what it does, in one line")
        text = "the template that a plugin was made from"
        template = group.add_parser("template", help=text, description=text, parents=[self._common])
        template.set_defaults(usage=template)
        templates = template.add_subparsers(title="commands", metavar="COMMAND")
        what = "what the template has changed since; exit code 1 if there is something"
        check = self._command(templates, "check", "plugin_template_commands:template_check", what)
        check.add_argument("path", nargs="?", type=Path, default=Path(), help="the plugin's folder (here)")
        check.add_argument("--accept", action="store_true", help="do not show it again; exit code 0")

    def _group(self, name: str, text: str) -> _Group:
        parser = self._groups.add_parser(name, help=text, description=text, parents=[self._common])
        parser.set_defaults(usage=parser)
        return parser.add_subparsers(title="commands", metavar="COMMAND")

    def _command(self, group: _Group, name: str, run: str, text: str) -> argparse.ArgumentParser:
        parser = group.add_parser(name, help=text, description=text, parents=[self._common])
        parser.set_defaults(run=run)
        return parser


if __name__ == "__main__":
    sys.exit(main())
