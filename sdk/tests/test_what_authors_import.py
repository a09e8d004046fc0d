"""`animus_sdk` as authors use it: every name is there, as the type checker sees it, and nothing is imported early."""

from __future__ import annotations

import ast
import enum
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import animus_sdk
from animus_protocol.models.base import WireModel
from animus_sdk import crash_points, http, testing
from animus_sdk.roles.kind import KindRole

ROOT = Path(__file__).parents[2]
PACKAGES = [animus_sdk, testing, http]
PUBLIC_MODULES = {"animus_sdk", "animus_sdk.testing", "animus_sdk.http", "animus_sdk.crash_points"}
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir())
ROLES = [getattr(animus_sdk, name) for name in animus_sdk.__all__ if name not in ("Plugin", "Bundle")]
ROLES = [role for role in ROLES if isinstance(role, type) and issubclass(role, animus_sdk.Plugin)]


@pytest.mark.parametrize("package", [*PACKAGES, crash_points])
def test_every_name_that_is_promised_can_be_imported(package: ModuleType) -> None:
    namespace: dict[str, object] = {}
    exec(f"from {package.__name__} import *", namespace)  # noqa: S102 - as a user writes it
    assert set(package.__all__) <= namespace.keys()
    assert set(package.__all__) <= set(dir(package))
    assert package.__all__ == sorted(package.__all__, key=lambda name: (name[0].islower(), name))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_class_and_function_says_what_it_is(package: ModuleType) -> None:
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type | FunctionType) and value.__module__.startswith("animus_"):
            assert value.__name__ == name
            assert value.__doc__, f"{name} is not described"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_the_type_checker_sees_is_what_is_imported(package: ModuleType) -> None:
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text())
    typed = next(one for one in tree.body if isinstance(one, ast.If))
    imports = [one for one in typed.body if isinstance(one, ast.ImportFrom)]
    assert all(name.asname == name.name for one in imports for name in one.names), "else it is not re-exported"
    seen = {(one.module, name.name) for one in imports for name in one.names}
    assert seen == {(module, name) for module, names in package.NAMES.items() for name in names}
    assert {name for _, name in seen} == set(package.__all__)


def types_of(kind: Any) -> Iterator[type]:
    """The wire models and enumerations in a type hint, and in the fields of those models."""
    if isinstance(kind, type) and issubclass(kind, WireModel):
        yield kind
        for field in kind.model_fields.values():
            yield from types_of(field.annotation)
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        yield kind
    for part in get_args(kind):
        yield from types_of(part)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__)
def test_every_type_of_a_verb_is_public(role: type[animus_sdk.Plugin]) -> None:
    derived = {*vars(KindRole), "routes", "find", "kind_routes", "manifest", "info", "capabilities", "end_role"}
    verbs = {
        name: value
        for base in (role, animus_sdk.AgentContext, animus_sdk.Context)
        for name, value in vars(base).items()
        if isinstance(value, FunctionType) and not name.startswith("_") and name not in derived
    }
    assert len(verbs) > len(vars(animus_sdk.Context)) // 2
    for name, verb in verbs.items():
        for hint in get_type_hints(verb).values():
            for kind in types_of(hint):
                assert getattr(animus_sdk, kind.__name__, None) is kind, f"{role.__name__}.{name} needs {kind.__name__}"


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_reference_plugin_imports_what_any_author_may(plugin: str) -> None:
    sources = list((ROOT / "plugins" / plugin / "src").rglob("*.py"))
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            imported = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            ours = {name for name in imported if name.startswith(("animus_sdk", "animus_protocol", "animus_core"))}
            assert ours <= PUBLIC_MODULES, source


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    for package in PACKAGES:
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            package.Nothing  # noqa: B018 - the access is the test


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import sys, animus_sdk, animus_sdk.testing, animus_sdk.http; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    loaded = {name for name in done.stdout.split() if name.startswith(("animus", "pydantic", "asyncio", "starlette"))}
    assert loaded == {"animus_sdk", "animus_sdk.lazy_names", "animus_sdk.testing", "animus_sdk.http"}


def test_a_manifest_asks_for_no_description_of_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tools(animus_sdk.Plugin):
        name = "tools"
        version = "1"

        @animus_sdk.tool
        def search(self, text: str) -> str:
            return text

    def early(*_: object) -> None:
        raise AssertionError("a model of the tool was built")

    monkeypatch.setattr("animus_sdk.typed_methods._params_model", early)
    assert Tools.mistakes() == []
    assert Tools.manifest().capabilities == ["search"]
    with pytest.raises(AssertionError, match="a model of the tool"):
        Tools.capabilities()
