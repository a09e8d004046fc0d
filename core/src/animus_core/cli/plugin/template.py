"""`animus plugin new | template check`: a new plugin from a template, and what its template has changed since.

Below lies the distribution `animus-templates`, which an operator need not have: it is imported when a command runs.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from animus_core.cli.output import Output
from animus_core.errors import Conflict, InvalidInput, RetryLater
from animus_core.supply.distributions import how_to_install_beside, how_to_prepare_authoring

if TYPE_CHECKING:
    from animus_templates import ChangedFile

__all__ = ["new", "template_check"]

_CHANGED: Final = 1  # as diff(1): there are differences, which is no failure


def new(args: argparse.Namespace, output: Output) -> int:
    """Make the project of a plugin, and say what to do with it."""
    given = {"description": args.description, "author": args.author, "license": args.license}
    with _templates():
        from animus_templates import render

        project = render(args.kind, args.name, args.path, {name: one for name, one in given.items() if one is not None})
    folder = shlex.quote(str(project))
    checks = ['pip install -e ".[dev]" && pytest', "animus plugin install --dev ."]
    commands = [f"cd {folder}", *how_to_prepare_authoring(), *checks]
    data = {"project": str(project.resolve()), "name": project.name, "kind": args.kind, "next": commands}
    output.result(data, "\n".join([f"made {project}", "Next:", *(f"  {command}" for command in commands)]))
    return 0


def template_check(args: argparse.Namespace, output: Output) -> int:
    """Show what a project's template has changed since; exit code 1 if there is something that is not accepted."""
    with _templates():
        from animus_templates import accept, check

        changes = check(args.path)
        if args.accept:
            accept(args.path)
    files = [{"path": change.path, "changed_by_you": change.by_author, "diff": change.diff} for change in changes]
    output.result({"changed": bool(changes), "files": files}, lambda: _format_changes(changes))
    return _CHANGED if changes and not args.accept else 0


def _format_changes(changes: list[ChangedFile]) -> str:
    if not changes:
        return "the template has not changed"
    who = {False: "changed by the template", True: "changed by you and by the template"}
    return "\n".join(f"{change.path}: {who[change.by_author]}\n{change.diff}" for change in changes)


@contextmanager
def _templates() -> Iterator[None]:
    """What the templates refuse, as this command's errors. Raises RetryLater where they are not installed."""
    try:
        from animus_templates import ProjectExists, TemplatesError
    except ImportError as error:
        hint = f"Install them beside animus: {how_to_install_beside('animus-templates')}"
        raise RetryLater("the templates of plugins are not installed", hint=hint) from error
    try:
        yield
    except ProjectExists as error:
        raise Conflict(error.message, hint=error.hint) from error
    except TemplatesError as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    except OSError as error:
        where = "the project" if error.filename is None else error.filename
        raise RetryLater(f"{where}: {error.strerror}", hint="Fix that, or name another folder.") from error
