"""What the documentation says is what happens: its pages are carried out, its lists are compared with the code."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from animus_core.cli.main import build_parser
from animus_core.daemon import facts, queue
from animus_core.daemon.events import EventKind
from animus_core.daemon.queue_entry import EntryStatus
from animus_core.daemon.run_monitor import AFTER_EXIT, MAX_CRASHES, AfterExit
from animus_core.journal.kinds import DATA
from animus_core.projectors.subject import MOVES
from animus_core.runner.prompt import run_variables
from animus_core.store.paths import RunPaths, Scope
from animus_core.workflow import definitions, load
from animus_core.workflow.load import load_workflows
from animus_core.workflow.plan import build_plan
from animus_core.workflow.run_stages import RunStatus
from animus_protocol.models.dispatch import SubjectDispatch
from animus_protocol.models.priority import PriorityName

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs"
SOURCES: Final = (ROOT / "core/src", ROOT / "sdk/src")
FOLLOWED: Final = (
    DOCS / "how-to/after-a-crash.md",
    DOCS / "tutorial.md",
    DOCS / "how-to/write-a-workflow.md",
    DOCS / "how-to/write-a-plugin.md",
    DOCS / "how-to/write-a-plugin-in-any-language.md",
    DOCS / "how-to/trust-a-repository.md",
    DOCS / "how-to/install-plugins.md",
    DOCS / "how-to/check-a-plugin.md",
    ROOT / "sdk/README.md",
    ROOT / "core/README.md",
)
AUTHORED: Final = DOCS / "tutorial-plugin.md"
OURS: Final = (*FOLLOWED, AUTHORED, DOCS / "index.md", *sorted((DOCS / "reference").glob("*.md")))
MODELS: Final[Mapping[str, type[definitions.Definition]]] = {
    "Workflow": definitions.WorkflowDefinition,
    "Phase entry": definitions.PhaseEntry,
    "Transition": definitions.Transition,
    "Variable": definitions.Variable,
    "Phase": definitions.PhaseDefinition,
    "Command": definitions.CommandSpec,
    "Decision contract": definitions.DecisionContract,
    "Retry": definitions.Retry,
    "Backoff": definitions.Backoff,
    "Runtime": definitions.Runtime,
    "Agent": definitions.AgentProfile,
    "Model": definitions.ModelProfile,
    "Daemon": definitions.DaemonBlock,
}


@pytest.mark.timeout(150)  # many processes one after the other; each block has a deadline of its own
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_who_follows_the_page_sees_what_it_says(new_reader, page):
    assert new_reader().follow(page) > 0


@pytest.mark.long
@pytest.mark.timeout(300)  # it judges a plugin twice, and makes a daemon work with it
def test_an_author_who_follows_the_tutorial_has_a_plugin_that_works(new_author):
    assert new_author().follow(AUTHORED) > 0


def test_the_reader_notices_a_page_that_is_wrong(new_reader, tmp_path):
    page = tmp_path / "page.md"
    reader = new_reader()
    for said in ("two\n", "one\ntwo\n", "…two\n"):
        page.write_text(f"```console\n$ echo one\n{said}```\n")
        with pytest.raises(AssertionError, match=r"page\.md:1 "):
            reader.follow(page)
    for words in ("exit=1\n$ true\n", "\n$ false\n", "like\n$ echo one\ntwo\n"):
        page.write_text(f"text\n```console {words}```\n")
        with pytest.raises(AssertionError, match=r"page\.md:2 "):
            reader.follow(page)
    page.write_text("```console\n$ for word in one two three; do\n>   echo $word\n> done\n…\nt…e\n```\n")
    assert reader.follow(page) == 1


def test_every_command_is_in_the_reference_and_every_one_in_the_reference_is_a_command():
    commands = dict(_commands(build_parser(), "animus"))
    described = {title: text for title, text in _sections(_page("cli"), "### ").items() if title.startswith("animus ")}
    assert described.keys() == commands.keys()


def test_every_option_and_argument_is_in_the_reference_and_the_other_way_round():
    described = _sections(_page("cli"), "### ")
    for command, parser in _commands(build_parser(), "animus"):
        text = described[command]
        actions = [one for one in parser._actions if not {"-h", "--json", "--project-root"} & set(one.option_strings)]
        options = {option for action in actions for option in action.option_strings}
        arguments = {_argument(action) for action in actions if not action.option_strings}
        rows = _first_cells(text)
        assert {row.split()[0] for row in rows if row.startswith("-")} == options, command
        assert {row for row in rows if not row.startswith("-")} == arguments, command
        usage = text.strip().splitlines()[0]
        assert all(re.search(rf"{re.escape(word)}\b", usage) for word in options | arguments), usage
        for choice in (choice for action in actions for choice in action.choices or ()):
            assert f"`{choice}`" in text, f"{command}: {choice}"


def test_the_options_of_every_command_and_the_exit_codes_are_in_the_reference():
    sections = _sections(_page("cli"), "## ")
    common = {option for action in build_parser()._actions for option in action.option_strings if option[:2] == "--"}
    assert {row.split()[0] for row in _first_cells(sections["For every command"]) if row[0] == "-"} == common - {
        "--help"
    }
    errors = _error_codes()
    for code, exit_code in errors:
        assert f"| {exit_code} | `{code}` |" in sections["For every command"]


def test_every_key_of_the_workflow_files_is_in_the_reference_and_the_other_way_round():
    sections = _sections(_page("workflows"), "## ")
    keys = {"Top level": dict(load.KEYS), **{title: model.keys() for title, model in MODELS.items()}}
    for title, known in keys.items():
        text = sections[title].partition("\n### ")[0]
        assert set(_first_cells(text)) == {key for key, supported in known.items() if supported}, title
        refused = re.search(r"^Refused: (.*?)\.$", text, re.MULTILINE | re.DOTALL)
        documented = set(re.findall(r"`([^`]+)`", refused[1])) if refused else set()
        if title == "Agent":
            documented |= definitions.Runtime.NOT_SUPPORTED
        assert documented == {key for key, supported in known.items() if not supported}, title


def test_every_model_of_the_workflow_files_has_a_section():
    assert set(MODELS.values()) == set(definitions.Definition.__subclasses__())


def test_the_variables_of_a_run_are_in_the_reference(tmp_path):
    (tmp_path / ".animus").mkdir()
    phases = "phases: { a: { mode: command, idempotency: idempotent, command: { program: x } } }"
    (tmp_path / ".animus/workflows.yaml").write_text(f"{phases}\nworkflows: [{{ id: w, phases: [a] }}]\n")
    plan = build_plan(load_workflows(tmp_path, {}), "w", {})
    documented = {"subject": {"kind": "task", "id": "T"}, "workflow_ref": "w", "trigger_source": "manual"}
    dispatch = SubjectDispatch.model_validate({**documented, "requested_at": "2026-01-01T00:00:00Z"})
    started = DATA_STARTED.model_validate({"phase": "a", "ordinal": 0, "attempt": 1, "cause": "first"})
    names = run_variables(plan, dispatch, "run-1", started)
    assert set(_first_cells(_sections(_page("workflows"), "## ")["Run-time variables"])) == set(names)


def test_every_event_and_every_field_of_it_is_in_the_reference_and_the_other_way_round():
    described = {title.strip("`"): text for title, text in _sections(_page("events"), "### ").items()}
    assert described.keys() == {*DATA, *EventKind}
    for kind, model in DATA.items():
        fields = {name for cell in _cells(described[kind]) for name in re.findall(r"`(\w+)`", cell)}
        assert fields == set(model.model_fields), kind


def test_the_exit_codes_of_runners_are_in_the_reference():
    text = _sections(_page("queue-and-runs"), "### ")["When a runner leaves early"]
    answers = {AfterExit.BLOCK: "blocks the run", AfterExit.RECOVER: "starts the next runner"}
    described = {row[0]: row[-1] for row in _rows(text)[2:]}
    known = {str(int(code)): answers[answer] for code, answer in AFTER_EXIT.items()}
    assert described == {**known, "any other": answers[AfterExit.RECOVER]}
    assert MAX_CRASHES == 5  # as the page says in words


def test_the_states_and_moves_of_entries_runs_and_subjects_are_those_of_the_code():
    page = _page("queue-and-runs")
    tables = [_rows(text) for text in re.split(r"\n\n", page)]
    by_head = {tuple(rows[0]): rows[2:] for rows in tables if rows}
    moves = {row[0].strip("`"): row[1:] for row in by_head[("move", "from", "to")]}
    assert moves == {
        operation: [", ".join(f"`{status}`" for status in EntryStatus if status in allowed), f"`{to}`"]
        for operation, (allowed, to, _) in queue.OPERATIONS.items()
    }
    statuses = [
        {row[0].strip("`") for row in _rows(text)[2:]} for text in re.split(r"\n\n", page) if "| status |" in text
    ]
    assert statuses == [set(EntryStatus), set(RunStatus)]
    documented = {row[0].strip("`"): row[2:] for row in by_head[("fact", "when", "the subject moves from", "to")]}
    assert documented.keys() == set(facts.FactKind)
    for kind, cells in documented.items():
        allowed, to = MOVES.get(kind, (frozenset(), ""))
        assert {*re.findall(r"`([\w-]+)`", cells[0])} == allowed, kind
        assert cells[1].strip("`") == to, kind
    priorities = {row[0].strip("`"): int(row[1]) for row in by_head[("priority", "number")]}
    assert priorities == {name.value: name.number for name in PriorityName}


def test_every_path_and_every_variable_is_in_the_reference():
    page = _page("files")
    scope = Scope(Path("/project"), Path("/scope"))
    run = RunPaths(Path("/run"))
    attempt = (run.session("PHASE"), run.spool("PHASE", 1), run.attempt_lock("PHASE", 1))
    paths = [*_paths_of(scope), *_paths_of(run), *(Path(str(path).replace(".1.", ".ATTEMPT.")) for path in attempt)]
    folders = {scope.daemon_dir, scope.runs, scope.state, scope.logs}
    assert len(paths) > 20
    for path in paths:
        name = str(path.relative_to(path.parents[-2]))
        name = f"{name}/" if path in folders else name
        assert f"`{name}" in page, name
    read = {name for folder in SOURCES for path in folder.rglob("*.py") for name in _variables(path.read_text())}
    assert {row for row in _first_cells(page) if row.startswith("ANIMUS_")} == read


def test_links_lead_somewhere_and_no_page_names_this_machine():
    for page in OURS:
        text = page.read_text()
        assert not re.search(r"(?<![\w~…])/(?:home|root|work|tmp)/", text), page
        for target, anchor in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", text):
            linked = (page.parent / target).resolve() if target else page
            assert linked.exists(), f"{page}: {target}"
            assert not anchor or anchor[1:] in _anchors(linked.read_text()), f"{page}: {target}{anchor}"


def test_every_page_has_a_way_to_it_from_the_index():
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / "index.md").read_text())}
    assert {page for page in OURS if page.is_relative_to(DOCS)} - {DOCS / "index.md"} <= linked


DATA_STARTED: Final[Any] = next(model for kind, model in DATA.items() if kind == "phase_started")


def _error_codes() -> list[tuple[str, int]]:
    """The code and exit code of every class of error."""
    from animus_core.errors import AnimusError

    found = {(AnimusError.code, AnimusError.exit_code)}
    return sorted(found | {(cls.code, cls.exit_code) for cls in AnimusError.__subclasses__()})


def _page(name: str) -> str:
    return (DOCS / f"reference/{name}.md").read_text()


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for word, child in group.choices.items():
            yield from _commands(child, f"{name} {word}")
    if not groups:
        yield name, parser


def _argument(action: argparse.Action) -> str:
    return str(action.metavar or action.dest).upper()


def _sections(page: str, mark: str) -> dict[str, str]:
    """Title → text of the sections under headings of one level, up to the next heading of it or above."""
    pattern = rf"^{mark}(.+)\n((?:(?!#{{1,{len(mark) - 1}}} ).*\n?)*)"
    return dict(re.findall(pattern, page, re.MULTILINE))


def _rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def _cells(text: str) -> list[str]:
    return [row[0] for row in _rows(text)[2:]]


def _first_cells(text: str) -> list[str]:
    """What stands in backquotes in the first column of every table."""
    return [found[1] for row in _rows(text) if (found := re.fullmatch(r"`([^`]+)`", row[0]))]


def _paths_of(holder: Scope | RunPaths) -> list[Path]:
    names = [name for name, value in vars(type(holder)).items() if isinstance(value, property)]
    return [getattr(holder, name) for name in names]


def _variables(source: str) -> set[str]:
    return set(re.findall(r"\bANIMUS_[A-Z][A-Z_]*[A-Z]\b", source))


def _anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
