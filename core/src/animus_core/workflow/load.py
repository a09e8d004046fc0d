"""The project's workflow files, read and checked: `load_workflows`.

The only module here that touches the disk. Files: `.animus/workflows.yaml`, then `.animus/workflows/*.yaml` by name.
Below lies the whole package.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from animus_core.supply.trust.coverage import DATA_FOLDERS
from animus_core.workflow.definitions import (
    ID_PATTERN,
    AgentProfile,
    DaemonBlock,
    Defined,
    Definition,
    ModelProfile,
    PhaseDefinition,
    WorkflowDefinition,
    WorkflowSet,
)
from animus_core.workflow.diagnose import build, key_issue
from animus_core.workflow.entries import normalise_entries
from animus_core.workflow.interpolate import interpolate
from animus_core.workflow.issues import (
    MAX_ISSUES,
    InvalidWorkflow,
    Issue,
    Mistake,
    Severity,
    SourceLocation,
    printable,
    shown,
)
from animus_core.workflow.located import Located, SourceFile
from animus_core.workflow.validate import validate
from animus_core.workflow.yaml_source import parse, read_text

__all__ = ["load_workflows"]

FOLDER: Final = ".animus"
MAX_FILES: Final = 200
MAX_TOTAL_CHARS: Final = 4 << 20
SECTIONS: Final[Mapping[str, type[Definition]]] = {
    "phases": PhaseDefinition,
    "agents": AgentProfile,
    "models": ModelProfile,
}
# True: read. False: existing workflow files have it, and it is not supported; it is refused by name, and never ignored.
KEYS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("default_workflow_ref", "workflows", *SECTIONS, "daemon", "phase_catalog"), True),
    **dict.fromkeys(("name", "description"), True),
    **dict.fromkeys(("agent_channels", "tools_allowlist", "mcp_servers", "phase_mcp_bindings", "tools"), False),
    **dict.fromkeys(("integrations", "schedules", "triggers", "secrets"), False),
}


def load_workflows(project_root: Path, env: Mapping[str, str]) -> WorkflowSet:
    """Everything the workflow files under `project_root` define; an empty set when there are none.

    `env` is what `${VAR}` is looked up in. Raises InvalidWorkflow with every mistake of every file at once; what is
    only doubtful is in `WorkflowSet.warnings`. Prompt files are looked up in `.animus/` and must lie there, so that
    the trust in that folder covers them.
    """
    reader = _Reader(project_root, env)
    for path in reader.files():
        reader.read(path)
    workflows, issues = reader.finish()
    # With so many mistakes already, more are not searched for: people fix the first ones first.
    if reader.errors < MAX_ISSUES:
        issues += validate(workflows, frozenset(reader.broken))
    errors = [issue for issue in issues if issue.severity is Severity.ERROR]
    if errors:
        raise InvalidWorkflow(errors)
    return replace(workflows, warnings=tuple(sorted(issues, key=lambda issue: issue.sort_key)))


class _Reader:
    """Collects definitions and mistakes file by file."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self.root = root
        self.env = env
        self.issues: list[Issue] = []
        self.errors = 0
        self.chars = 0
        self.sources: list[SourceFile] = []
        self.broken: set[tuple[str, str]] = set()
        self.places: dict[tuple[str, str], SourceLocation] = {}
        self.defined: dict[str, dict[str, Defined[Any]]] = {name: {} for name in ("workflows", *SECTIONS)}
        self.default: Located | None = None
        self.daemon = DaemonBlock()

    def name(self, path: Path) -> str:
        relative = os.fsencode(path.relative_to(self.root).as_posix())
        return printable(relative.decode("utf-8", "backslashreplace"), 1000)

    def add(self, *issues: Issue) -> None:
        self.issues += issues
        self.errors += sum(issue.severity is Severity.ERROR for issue in issues)

    def refuse(self, place: SourceLocation, message: str, hint: str) -> None:
        self.add(Issue.at(place, message, hint))

    def files(self) -> list[Path]:
        folder = self.root / FOLDER / "workflows"
        found = [self.root / FOLDER / "workflows.yaml"] if os.path.lexists(folder.with_suffix(".yaml")) else []
        candidates = [folder.with_suffix(".yml")] if os.path.lexists(folder.with_suffix(".yml")) else []
        try:
            # Sorted, because later files win in `daemon:` and the order of a listing is the file system's own.
            candidates += [folder / name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
        except FileNotFoundError:
            pass
        except OSError as error:
            place = SourceLocation(self.name(folder), 1, 1)
            self.refuse(place, f"cannot be listed: {error.strerror}", "make it a readable folder, or remove it")
        for path in candidates:
            # Said and not passed over: people believe that such a file counts.
            if path.suffix == ".yml":
                place, hint = SourceLocation(self.name(path), 1, 1), "rename it to `.yaml`"
                self.add(Issue.at(place, "is not read", hint, severity=Severity.WARNING))
        found += [path for path in candidates if path.suffix == ".yaml"]
        if len(found) > MAX_FILES:
            place = SourceLocation(self.name(folder), 1, 1)
            self.refuse(place, f"holds more than {MAX_FILES} workflow files", "merge some of them")
        return found[:MAX_FILES]

    def read(self, path: Path) -> None:
        file = self.name(path)
        try:
            text, digest = read_text(path, file)
            # The hash of the very bytes that are parsed: trust is compared with it, and not with what lies there later.
            self.sources.append(SourceFile(path=file, sha256=digest))
            self.chars += len(text)
            if self.chars > MAX_TOTAL_CHARS:
                issue = Issue.at(SourceLocation(file, 1, 1), "the workflow files are too large together", "remove some")
                raise Mistake(issue)
            text, issues = interpolate(text, self.env, file)
            self.add(*issues)
            document, issues = parse(text, file)
        except Mistake as mistake:
            self.add(mistake.issue)
            return
        self.add(*issues)
        if document.is_null:
            return
        if document.fields is None:
            hint = "begin with a key such as `workflows:`"
            self.refuse(document.place, "the file is not a mapping", hint)
            return
        for key, located in document.fields.items():
            self.section(key, located)

    def section(self, key: str, located: Located) -> None:
        if self.errors >= MAX_ISSUES:
            return
        if not KEYS.get(key, False):
            self.add(key_issue(located, key, KEYS))
        elif located.is_null or key in ("phase_catalog", "name", "description"):
            return
        elif key == "default_workflow_ref":
            self.default_ref(located)
        elif key == "daemon":
            block, issues = build(DaemonBlock, located)
            self.add(*issues)
            if block is not None:
                # Only the fields that were written: a whole block would reset another file's.
                self.daemon = self.daemon.model_copy(update=block.model_dump(exclude_unset=True))
        elif key == "workflows":
            if located.items is None:
                self.refuse(located.place, "`workflows` is not a list", "write each workflow as `- id: …`")
            for item in located.items or ():
                self.workflow(item)
        elif located.fields is None:
            self.refuse(located.place, f"`{key}` is not a mapping", f"write `{key}:` with one id a line below it")
        else:
            for name, child in located.fields.items():
                self.define(key, name, child, SECTIONS[key])

    def default_ref(self, located: Located) -> None:
        if not isinstance(located.value, str):
            self.refuse(located.place, "`default_workflow_ref` is not text", "write the id of a workflow")
        elif self.default is not None and str(self.default.value).lower() != located.value.lower():
            message = f"`default_workflow_ref` is given twice, first at {self.default.place}"
            self.refuse(located.place, message, "keep one")
        else:
            self.default = located

    def workflow(self, item: Located) -> None:
        written = (item.fields or {}).get("id")
        name = written.value if written is not None and isinstance(written.value, str) else None
        item, issues = normalise_entries(item)
        self.add(*issues)
        self.define("workflows", name, item, WorkflowDefinition)

    def define(self, section: str, name: str | None, located: Located, model: type[Definition]) -> None:
        """Check one definition and keep it; a second one of the same id is refused, wherever it is."""
        if self.errors >= MAX_ISSUES:
            return
        value, issues = build(model, located)
        self.add(*issues)
        if name is None:
            return
        kind, key = section.removesuffix("s"), (section, name.lower())
        if section != "workflows" and not re.fullmatch(ID_PATTERN, name):
            hint = "use letters, digits and `. _ - /`, and begin with a letter or digit"
            self.refuse(located.place, f"{shown(name)} is not a valid {kind} id", hint)
            value = None
        if key in self.places:
            message = f"the {kind} {shown(name)} is defined twice, first at {self.places[key]}"
            self.refuse(located.place, message, "keep one, or rename one")
            return
        self.places[key] = located.place
        if value is None:
            # Defined, though unusable: else each place that names it would be a second mistake, for one cause.
            self.broken.add(key)
        else:
            self.defined[section][name.lower()] = Defined(name, value, located)

    def finish(self) -> tuple[WorkflowSet, list[Issue]]:
        prompts = {key: self.prompt(agent) for key, agent in self.defined["agents"].items()}
        workflows = WorkflowSet(
            default_workflow_ref=None if self.default is None else str(self.default.value),
            default_place=None if self.default is None else self.default.place,
            workflows=self.defined["workflows"],
            phases=self.defined["phases"],
            agents=self.defined["agents"],
            models=self.defined["models"],
            daemon=self.daemon,
            prompts={key: text for key, text in prompts.items() if text is not None},
            sources=tuple(self.sources),
        )
        return workflows, self.issues

    def prompt(self, agent: Defined[AgentProfile]) -> str | None:
        written = agent.value.system_prompt_file
        if written is None:
            return None
        folder = self.root / FOLDER
        path, place = folder / written, agent.place_of("system_prompt_file")
        hint = f"put the file under `{FOLDER}/` and write its path from there"
        # By their real paths: a link out of `.animus/` would be read past the trust in that folder.
        real, home = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
        if not real.is_relative_to(home):
            self.refuse(place, f"the prompt file {shown(written)} lies outside `{FOLDER}/`", hint)
            return None
        if real != home and real.relative_to(home).parts[0] in DATA_FOLDERS:
            message = f"the prompt file {shown(written)} lies in a folder of data, which trust does not cover"
            self.refuse(place, message, f"put it elsewhere under `{FOLDER}/`, for example into `{FOLDER}/prompts/`")
            return None
        try:
            text, digest = read_text(path, self.name(path))
        except Mistake as mistake:
            self.refuse(place, f"the prompt file {shown(written)} {mistake.issue.message}", hint)
            return None
        self.sources.append(SourceFile(path=self.name(path), sha256=digest))
        return text
