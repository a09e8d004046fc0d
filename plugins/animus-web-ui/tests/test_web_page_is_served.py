"""The page, its files and its API at one address; and that the page needs nothing from anywhere else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("animus-web-ui")
DEADLINE_S = 20.0
NODE = shutil.which("node")
SCRIPTS = ("/page.js", "/api.js")
FILES = {
    "/": "text/html",
    "/page.css": "text/css",
    **dict.fromkeys(SCRIPTS, "text/javascript"),
    "/icon.svg": "image/svg+xml",
}


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and the text inside of scripts and styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style"):
            self.inline += data.strip()


def test_the_manifest_is_that_of_a_web_ui() -> None:
    done = subprocess.run([COMMAND, "--manifest"], capture_output=True, check=True, timeout=DEADLINE_S)
    manifest = json.loads(done.stdout)
    assert (manifest["name"], manifest["plugin_kind"]) == ("animus-web-ui", "web_ui")


@pytest.mark.parametrize("path", FILES)
def test_every_file_is_served_as_what_it_is_under_a_strict_policy(open_page: Any, path: str) -> None:
    answer = open_page.get(path)
    assert answer.status == 200
    assert answer.headers.get_content_type() == FILES[path]
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert open_page.get(path, "HEAD").body == b""
    assert open_page.get(path, "POST").status == 405


def test_the_page_holds_no_script_no_style_and_no_handler_of_its_own(open_page: Any) -> None:
    page = Tags(open_page.get("/").body)
    assert page.inline == ""
    for tag, attributes in page.tags:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")], attributes


def test_all_that_the_page_refers_to_is_served_beside_it(open_page: Any) -> None:
    page = Tags(open_page.get("/").body)
    targets = {value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")}
    assert targets == {"page.css", "page.js", "icon.svg"}
    for path in FILES:
        text = open_page.get(path).body.decode()
        assert set(re.findall(r"(?:https?:)?//[\w.]+\.\w+", text)) <= {"http://www.w3.org"}, f"{path} leads elsewhere"
        assert "url(" not in text
        assert "@import" not in text


def test_what_the_script_looks_for_is_in_the_page_and_is_labelled(open_page: Any) -> None:
    script = open_page.get("/page.js").body.decode()
    page = Tags(open_page.get("/").body)
    known = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    wanted = {*re.findall(r'\$\("([\w-]+)"\)', script), *re.findall(r'draw\("([\w-]+)"', script)}
    assert len(wanted) > 10
    assert wanted <= known
    for tag, attributes in page.tags:
        if tag == "section":
            assert attributes["aria-labelledby"] in known
        if tag in ("input", "select") and attributes.get("id") != "token":  # that one stands inside of its label
            assert attributes["aria-label"]


def test_a_script_that_another_one_imports_is_served_and_has_what_is_wanted_of_it(open_page: Any) -> None:
    imports = re.findall(r'import \{ ([^}]+) \} from "\./([\w.]+)"', open_page.get("/page.js").body.decode())
    assert [name for _, name in imports] == ["api.js"]
    for names, name in imports:
        exported = re.findall(
            r"^export (?:async )?(?:class|function)\*? (\w+)", open_page.get(f"/{name}").body.decode(), re.M
        )
        assert set(names.split(", ")) <= set(exported)


def test_the_scripts_never_make_markup_of_what_they_are_told(open_page: Any) -> None:
    script = "".join(open_page.get(path).body.decode() for path in SCRIPTS)
    for dangerous in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert dangerous not in script


def test_without_a_daemon_the_page_is_there_and_its_questions_say_why_not(open_page: Any) -> None:
    assert open_page.get("/healthz").status == 200
    answer = open_page.get("/api/v1/daemon/status")
    assert answer.status == 503
    error = json.loads(answer.body)["error"]
    assert error["category"] == "unavailable"
    assert str(open_page.control_socket) in error["message"]


def test_the_page_asks_the_daemon_at_its_own_address(web_page: Any, run_daemon: Callable[[Path], None]) -> None:
    run_daemon(web_page.control_socket)
    web_page.open()
    answer = web_page.get("/api/v1/daemon/status", Origin=f"http://{web_page.address}")
    assert (answer.status, json.loads(answer.body)) == (200, {"running": True})


def test_with_a_token_the_page_opens_and_its_questions_need_it(web_page: Any) -> None:
    web_page.open(token_env="PAGE_TOKEN")
    assert {web_page.get(path).status for path in (*FILES, "/healthz")} == {200}
    assert web_page.get("/api/v1/daemon/status").status == 401
    assert web_page.get("/api/v1/daemon/status", Authorization="Bearer a-token-of-many-letters").status == 503


# What of a browser `api.js` needs; the server knows no token. Prints the header, and what the page is told.
ASK_WITH_A_TOKEN = """
const told = [];
globalThis.sessionStorage = { getItem: () => process.argv[2] };
globalThis.document = { dispatchEvent: (event) => told.push(event.type, event.detail) };
globalThis.CustomEvent ??= class extends Event { constructor(type, { detail }) { super(type); this.detail = detail; } };
globalThis.fetch = async (path, options) => {
  told.push(new Headers(options.headers).get("Authorization"));
  return new Response(JSON.stringify({ error: { message: "no" } }), { status: 401 });
};
const { ask } = await import(process.argv[1]);
await ask("daemon/status").catch((error) => told.push(error.status));
console.log(JSON.stringify(told));
"""


@pytest.mark.skipif(NODE is None, reason="there is no node to run the page's script")
@pytest.mark.parametrize(
    ("token", "header", "refused"),
    [
        ("", None, False),
        ("a+token/of=many%letters", "Bearer a+token/of=many%letters", True),
        ("schlüssel-€", "Bearer schl%C3%BCssel-%E2%82%AC", True),  # no header can hold it as it is
    ],
)
def test_a_refused_token_is_told_from_a_missing_one(
    open_page: Any, tmp_path: Path, token: str, header: str | None, refused: bool
) -> None:
    script = tmp_path / "api.mjs"
    script.write_bytes(open_page.get("/api.js").body)
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", ASK_WITH_A_TOKEN, str(script), token],
        capture_output=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert json.loads(done.stdout) == [header, "locked", refused, 401]
