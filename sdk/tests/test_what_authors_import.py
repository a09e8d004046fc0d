"""`animus_sdk` as authors use it: every name is there, as the type checker sees it, and nothing is imported early."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import animus_sdk
from animus_sdk import testing

SOURCE = Path(animus_sdk.__file__)


@pytest.mark.parametrize("package", [animus_sdk, testing])
def test_every_name_that_is_promised_can_be_imported(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]  # both packages have one
    namespace: dict[str, object] = {}
    exec(f"from {package.__name__} import *", namespace)  # type: ignore[attr-defined]  # noqa: S102 - as a user writes it
    assert set(names) <= namespace.keys()
    assert names == sorted(names, key=lambda name: (name[0].islower(), name))
    for name in names:
        assert getattr(namespace[name], "__name__", name) == name
        assert getattr(namespace[name], "__doc__", None), f"{name} is not described"


def test_what_the_type_checker_sees_is_what_is_imported() -> None:
    tree = ast.parse(SOURCE.read_text())
    (typed,) = [one for one in tree.body if isinstance(one, ast.If)]
    seen = {(one.module, name.name) for one in typed.body if isinstance(one, ast.ImportFrom) for name in one.names}
    homes = {(module, name) for module, names in animus_sdk._HOMES.items() for name in names}
    assert seen == homes
    assert {name for _, name in homes} == set(animus_sdk.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    for package in (animus_sdk, testing):
        with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
            package.Nothing  # noqa: B018 - the access is the test


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import sys, animus_sdk, animus_sdk.testing; print(*(name for name in sys.modules if 'animus' in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("_")}
    assert loaded == {"animus_sdk", "animus_sdk.testing"}


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
