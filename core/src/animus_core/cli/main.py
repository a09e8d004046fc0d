"""The entry point of `animus`: the tree of commands, and errors to exit codes.

Nothing lies below at the start: the parsers of a group are imported where a line names it, and what a command needs
when it runs.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in parsing.py
if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from animus_core.cli.output import Output
    from animus_core.cli.parsing import Group
    from animus_core.errors import AnimusError

__all__ = ["build_parser", "main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_TRACEBACK_VARIABLE = "ANIMUS_TRACEBACK"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 ok, 1 internal, 2 invalid input, 3 not found, 4 conflict, 5 unavailable."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout at its end, and would complain of the broken pipe once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output left: nobody to tell
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong, people read a sentence
        from animus_core.cli.output import Output
        from animus_core.errors import AnimusError

        failure = error if isinstance(error, AnimusError) else _unexpected(error)
        return Output(json_mode="--json" in words).failure(failure)


def build_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """Every command and its options; with the words of a command line, those that it may mean."""
    from argparse import SUPPRESS

    from animus_core.cli.parsing import Group, Parser
    from animus_core.cli.project.parser import register_project
    from animus_core.cli.watch.parser import register_watch

    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", default=SUPPRESS, help="print one JSON envelope")
    common.add_argument(
        "--project-root", type=_path, default=SUPPRESS, help="the project (default: Git's root, else here)"
    )
    description = "Autonomous work: subjects through workflows, worked by providers."
    parser = Parser(prog="animus", description=description, parents=[common])
    commands = Group(parser, common, words)
    register_project(commands)
    commands.group("daemon", "the process that works the queue off", _daemon)
    commands.group("queue", "accepted work in its order", _queue)
    commands.group("workflow", "runs, and the files that define them", _workflow)
    commands.group("subject", "work items, wherever they live", _subject)
    commands.group("plugin", "plugins: install them, look at them", _plugin)
    register_watch(commands)
    commands.command("version", _version, "the installed version", light=True)
    return parser


def _daemon(group: Group) -> None:
    from animus_core.cli.daemon.parser import register_daemon

    register_daemon(group)


def _queue(group: Group) -> None:
    from animus_core.cli.queue.parser import register_queue

    register_queue(group)


def _workflow(group: Group) -> None:
    from animus_core.cli.workflow.parser import register_workflow

    register_workflow(group)


def _subject(group: Group) -> None:
    from animus_core.cli.subject.parser import register_subject

    register_subject(group)


def _plugin(group: Group) -> None:
    from animus_core.cli.plugin.parser import register_plugin

    register_plugin(group)


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def _version(args: argparse.Namespace | None, output: Output) -> int:
    from animus_core.version import VERSION

    output.result({"version": VERSION}, f"animus {VERSION}")
    return 0


def _run(words: Sequence[str]) -> int:
    # Only alone, so that a command may have an option of this name.
    if list(words) in (["--version"], ["-V"]):
        from animus_core.cli.output import Output

        return _version(None, Output(json_mode=False))
    from animus_core.cli.parsing import Misused

    try:
        args = build_parser(words).parse_args(words)
        if not hasattr(args, "handler"):
            # Programs read an envelope and no help page.
            if "--json" in words:
                args.usage.error("a command is missing")
            args.usage.print_help()
            return 2
    except Misused as misuse:
        from animus_core.cli.output import Output
        from animus_core.errors import InvalidInput

        # By the words: they could not be parsed, and the answer must still be in the wanted form.
        return Output(json_mode="--json" in words).failure(InvalidInput(misuse.message, hint=misuse.usage))
    from animus_core.cli.output import Output
    from animus_core.errors import AnimusError

    output = Output(json_mode=getattr(args, "json", False))
    if not args.light:
        _keep_the_log_silent()
    try:
        code: int = args.handler(args, output)
    except AnimusError as error:
        return output.failure(error)
    return code


def _keep_the_log_silent() -> None:
    """What a process writes to its log is for whoever keeps one; a command says all it has to say by itself."""
    import logging

    # Without a handler, logging prints warnings to stderr by itself, into the envelope of a failure.
    logging.getLogger("animus").addHandler(logging.NullHandler())


def _unexpected(error: Exception) -> AnimusError:
    """The error that people see for an exception that is not ours."""
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


if __name__ == "__main__":
    sys.exit(main())
