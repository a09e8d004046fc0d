"""The reference page is made from the SDK, examples included, and every public name is on it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import animus_sdk

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "sdk.md"
MAKER = ROOT / "sdk" / "tools" / "reference.py"


def test_the_page_is_what_the_sdk_and_its_examples_say_now() -> None:
    made = subprocess.run([sys.executable, MAKER], capture_output=True, timeout=50, check=True).stdout.decode()
    assert PAGE.read_text(encoding="utf-8") == made, "run: python sdk/tools/reference.py > docs/reference/sdk.md"


def test_every_public_name_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [name for name in animus_sdk.__all__ if not re.search(rf"`(class )?{name}`|^### {name}$", page, re.M)]
