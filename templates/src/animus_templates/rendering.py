"""From a kind and a few answers to a project on disk, without a question and all or nothing.

Below it lie cookiecutter's generator and `finish.py`. No file of
cookiecutter's own is read or written: neither `~/.cookiecutterrc` nor a replay.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config

from animus_templates.errors import BadAnswer, ProjectExists
from animus_templates.filters import EXTENSION, quoted
from animus_templates.finish import finish
from animus_templates.names import KINDS, LICENSES
from animus_templates.record import ANSWERS

__all__ = ["render", "render_into"]

_TEMPLATES: Final = Path(__file__).parent


def render(kind: str, name: str, destination: Path, answers: Mapping[str, str] | None = None) -> Path:
    """Make the project `animus-<kind>-<name>` in the folder `destination`; where it is.

    `answers` may hold `description`, `author` and `license`. Raises BadAnswer, or ProjectExists where a folder of the
    project's name is not empty.
    """
    try:
        destination.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ProjectExists(f"{destination} is not a folder", "Name a folder for the project.") from error
    # Made beside its place and renamed there: an error in the middle leaves no half of a project.
    with tempfile.TemporaryDirectory(prefix=".animus-", dir=destination) as workshop:
        made = render_into(Path(workshop), kind, {"name": name, **(answers or {})})
        project = destination / made.name
        try:
            made.rename(project)  # takes the place of an empty folder, and of nothing else
        except OSError as error:
            hint = "Nothing was changed. Choose another name or another --path."
            raise ProjectExists(f"{project} exists, and is no empty folder", hint) from error
    return project


def render_into(folder: Path, kind: str, answers: Mapping[str, str]) -> Path:
    """The project, rendered into an empty `folder`. Raises BadAnswer."""
    if kind not in KINDS:
        raise BadAnswer(f"kind {kind!r}: there is no template for it", f"Name one of {', '.join(KINDS)}.")
    if unknown := answers.keys() - set(ANSWERS):
        raise BadAnswer(f"{', '.join(sorted(unknown))}: nobody asks that", f"Answers are {', '.join(ANSWERS)}.")
    if answers.get("license", LICENSES[0]) not in LICENSES:
        raise BadAnswer(f"license {answers['license']!r}", f"Name one of {', '.join(LICENSES)}.")
    template = _TEMPLATES / kind
    given = {name: text if name == "license" else _literal(text) for name, text in answers.items()}
    context = generate_context(str(template / "cookiecutter.json"), extra_context=given)
    questions = context["cookiecutter"]
    questions["_extensions"] = [EXTENSION]
    questions.update(prompt_for_config(context, no_input=True))
    project = Path(generate_files(repo_dir=str(template), context=context, output_dir=str(folder), accept_hooks=False))
    finish(questions, project)
    return project


def _literal(text: str) -> str:
    """An answer as cookiecutter has to get it: it renders answers, and a person's braces are no template."""
    return f"{{{{ {quoted(text)} }}}}"
