"""The registry of plugins that people write: `plugins.yaml`, the operator's and the project's.

Below lies PyYAML's composer alone, so nothing in a file can name a Python object, and every mistake has its line. A
project's file says what to run and no more: what a plugin gets of the operator's machine (environment, limits) is said
in the operator's own file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

import yaml

from animus_core.errors import InvalidInput
from animus_core.launch_options import LaunchOptions, Limits
from animus_core.store.regular_files import read_regular
from animus_core.supply.names import MAX_NAME_CHARS, is_name
from animus_core.terminal import escape_unprintable

__all__ = ["Registry", "Row", "read_registry"]

_MAX_BYTES: Final = 1 << 20
_MAX_DEPTH: Final = 20
_MAX_SHOWN_CHARS: Final = 300
_MAX_LIMIT: Final = 10**9  # 10^9 MiB still fit the kernel's 64 bits in bytes
_TAG: Final = "tag:yaml.org,2002:"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# NUL ends a text for the kernel, and half a surrogate pair is not UTF-8: no process could be given either.
_UNTOLD: Final = re.compile("[\x00\ud800-\udfff]")
_TABLES: Final = ("plugins", "providers")
_TOP_KEYS: Final = (*_TABLES, "include_system_path")
_ROW_KEYS: Final = ("binary", "env", "pass_env", "limits")
_FIX: Final = "Fix the file or move it away."


class Row(NamedTuple):
    """One row. Without a `command` it only gives options to a plugin that is found elsewhere under its name."""

    name: str
    command: tuple[str, ...] | None
    options: LaunchOptions


class Registry(NamedTuple):
    """A registry file, rows in its order. `include_system_path`: plugins are looked for in PATH too."""

    rows: tuple[Row, ...]
    include_system_path: bool


def read_registry(path: Path, *, project_root: Path | None = None) -> Registry:
    """The registry at `path`; an absent or empty file has no rows.

    A program with a slash in it is looked up from the file's folder, in a project's registry (`project_root` is given)
    from the project's root; one without is looked up in PATH. Raises InvalidInput `FILE:LINE: plugins.NAME.KEY: …`.
    """
    source = _Source(path, path.parent if project_root is None else project_root, project_root is not None)
    try:
        text = _text(path)
    except FileNotFoundError:
        return Registry((), False)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}", hint=_FIX) from error
    root = _compose(path, text)
    if root is None or root.tag == _TAG + "null":
        return Registry((), False)
    top = source.mapping(root, "the registry", "Write `plugins: {NAME: {binary: PATH}}`.")
    source.known(top, "", _TOP_KEYS)
    rows: dict[str, Row] = {}
    for table in _TABLES:
        if table in top and top[table].value.tag != _TAG + "null":
            _add_rows(source, table, top[table].value, rows)
    return Registry(tuple(rows.values()), _include_system_path(source, top))


class _Field(NamedTuple):
    key: yaml.Node
    value: yaml.Node


class _Source(NamedTuple):
    """The file that is read: where mistakes are, and where relative programs begin."""

    path: Path
    folder: Path
    is_project: bool

    def fail(self, node: yaml.Node, where: str, what: str, hint: str = _FIX) -> NoReturn:
        """Raise InvalidInput with the line of `node`."""
        place = f"{self.path}:{node.start_mark.line + 1}"
        mistake = f"{where[:_MAX_SHOWN_CHARS]}: {what[:_MAX_SHOWN_CHARS]}"
        raise InvalidInput(f"{place}: {escape_unprintable(mistake)}", hint=hint)

    def mapping(self, node: yaml.Node, where: str, hint: str) -> dict[str, _Field]:
        """The fields of a mapping with text for keys, each once."""
        if not isinstance(node, yaml.MappingNode) or node.tag != _TAG + "map":
            self.fail(node, where, "is not a mapping", hint)
        fields: dict[str, _Field] = {}
        for key, value in node.value:
            if key.tag != _TAG + "str" or _UNTOLD.search(key.value):
                self.fail(key, where, "a key is not text", "Put the key in quotes.")
            if key.value in fields:
                line = fields[key.value].key.start_mark.line + 1
                self.fail(key, where, f"{key.value!r} is written twice, first on line {line}", "Keep one of the two.")
            fields[key.value] = _Field(key, value)
        return fields

    def known(self, fields: Mapping[str, _Field], where: str, keys: Sequence[str]) -> None:
        """Refuse every key that is not in `keys`."""
        for key, field in fields.items():
            if key not in keys:
                near = difflib.get_close_matches(key[:MAX_NAME_CHARS], keys, 1)
                meant = f" Did you mean {near[0]!r}?" if near else ""
                at = f"{where}.{key}" if where else key
                self.fail(field.key, at, "is not a known key", f"Known here: {', '.join(keys)}.{meant}")

    def text(self, node: yaml.Node, where: str, *, numbers: bool = False) -> str:
        """A text that is not empty and can be handed to a process; with `numbers`, an integer as it is written."""
        tags = (_TAG + "str", _TAG + "int") if numbers else (_TAG + "str",)
        if not isinstance(node, yaml.ScalarNode) or node.tag not in tags:
            self.fail(node, where, "is not text", "Put it in quotes.")
        if _UNTOLD.search(node.value):
            self.fail(node, where, "holds a character that no process can be given", "Remove it.")
        return str(node.value)

    def items(self, node: yaml.Node, where: str, hint: str) -> list[yaml.Node]:
        """The items of a list."""
        if not isinstance(node, yaml.SequenceNode) or node.tag != _TAG + "seq":
            self.fail(node, where, "is not a list", hint)
        return list(node.value)

    def variable(self, node: yaml.Node, where: str) -> str:
        """The name of an environment variable."""
        name = self.text(node, where)
        if not _VARIABLE.fullmatch(name):
            self.fail(node, where, f"{name!r} cannot be the name of a variable", "Letters, digits and _ only.")
        return name


def _add_rows(source: _Source, table: str, node: yaml.Node, rows: dict[str, Row]) -> None:
    for name, field in source.mapping(node, table, "Write `NAME: {binary: PATH}` below it.").items():
        if not is_name(name):
            source.fail(field.key, table, f"{name!r} cannot be the name of a plugin", "Use letters, digits, - and _.")
        if name in rows:
            source.fail(field.key, f"{table}.{name}", "this name has a row already", "Keep one of the two.")
        rows[name] = _row(source, name, field.value, f"{table}.{name}")


def _row(source: _Source, name: str, node: yaml.Node, where: str) -> Row:
    fields = source.mapping(node, where, "Write `{binary: /path/to/program}`.")
    source.known(fields, where, _ROW_KEYS)
    for key, field in fields.items():
        # The repository may be hostile: `pass_env` would hand it the operator's secrets.
        if source.is_project and key != "binary":
            hint = "Only the operator's own plugins.yaml, in the configuration directory, may give it to a plugin."
            source.fail(field.key, f"{where}.{key}", "is not taken from a project's file", hint)
    if source.is_project and "binary" not in fields:
        source.fail(node, where, "has no `binary`", "Write `binary: path/in/the/project`.")
    command = _command(source, fields["binary"].value, f"{where}.binary") if "binary" in fields else None
    env = {}
    if "env" in fields:
        for field in source.mapping(fields["env"].value, f"{where}.env", "Write `{NAME: VALUE}`.").values():
            variable = source.variable(field.key, f"{where}.env")
            env[variable] = source.text(field.value, f"{where}.env.{variable}", numbers=True)
    passed: tuple[str, ...] = ()
    if "pass_env" in fields:
        names = source.items(fields["pass_env"].value, f"{where}.pass_env", "Write `[NAME]`.")
        passed = tuple(dict.fromkeys(source.variable(item, f"{where}.pass_env") for item in names))
    limits = _limits(source, fields["limits"].value, f"{where}.limits") if "limits" in fields else Limits()
    return Row(name, command, LaunchOptions(MappingProxyType(env), passed, limits))


def _command(source: _Source, node: yaml.Node, where: str) -> tuple[str, ...]:
    hint = "Write `binary: /path/to/program` or `binary: [program, argument]`."
    parts = [node] if isinstance(node, yaml.ScalarNode) else source.items(node, where, hint)
    if not parts:
        source.fail(node, where, "is an empty list", hint)
    program, *arguments = [source.text(part, where) for part in parts]
    if not program:
        source.fail(node, where, "is empty", hint)
    # People write it, and no shell is there to expand it.
    if program.startswith("~"):
        try:
            program = str(Path(program).expanduser())
        except RuntimeError:
            source.fail(node, where, f"{program!r}: there is no such home folder", "Write the whole path.")
    if "/" in program:
        program = str(source.folder / program)
    return (program, *arguments)


def _limits(source: _Source, node: yaml.Node, where: str) -> Limits:
    fields = source.mapping(node, where, "Write `{memory_mb: 512}`.")
    source.known(fields, where, Limits._fields)
    numbers: dict[str, int] = {}
    for key, field in fields.items():
        text = field.value.value if field.value.tag == _TAG + "int" else ""
        # As it is written: YAML also reads 017, 0x1F and 1:30 as numbers, which nobody means here.
        if not re.fullmatch(r"[1-9][0-9]{0,9}", text) or int(text) > _MAX_LIMIT:
            source.fail(field.value, f"{where}.{key}", f"is not a whole number from 1 to {_MAX_LIMIT}")
        numbers[key] = int(text)
    return Limits(**numbers)


def _include_system_path(source: _Source, top: Mapping[str, _Field]) -> bool:
    if "include_system_path" not in top:
        return False
    key, node = top["include_system_path"]
    if source.is_project:
        hint = "Only the operator's own plugins.yaml, in the configuration directory, may say so."
        source.fail(key, "include_system_path", "is not taken from a project's file", hint)
    if node.tag != _TAG + "bool":
        source.fail(node, "include_system_path", "is neither true nor false")
    return str(node.value).lower() in ("true", "yes", "on")


class _Loader(yaml.SafeLoader):
    """The safe loader, with a bound on how deep it follows a file."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {_MAX_DEPTH} levels", problem_mark=self.get_mark())
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _text(path: Path) -> str:
    """The text of a regular UTF-8 file of at most 1 MiB. Raises InvalidInput or OSError."""
    content = read_regular(path, _MAX_BYTES)
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInput(f"{path}:{line}: is not UTF-8 text", hint="Save it as UTF-8.") from error


def _compose(path: Path, text: str) -> yaml.Node | None:
    line = 1
    try:
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, what = mark.line + 1 if mark else 1, error.problem or error.context or "broken"
        except (ValueError, OverflowError):  # the scanner hands numbers of escapes to int() and chr() unchecked
            line, what = loader.get_mark().line + 1, "holds a number that no character or version has"
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{ord(text[error.position]):04X} is not allowed"
    raise InvalidInput(f"{path}:{line}: not valid YAML: {escape_unprintable(what[:_MAX_SHOWN_CHARS])}", hint=_FIX)
