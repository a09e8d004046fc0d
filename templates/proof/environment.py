"""A virtual environment for the new plugins, in which the distributions of this one are, too, without a network.

Nothing lies below.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["Environment"]

_INSTALL_S: Final = 300
"""Fourteen wheels are built one after the other."""


class Environment:
    """Its own packages come first; what it does not have is looked for beside `sys.executable`."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self.bin = folder / "bin"
        self.cache = folder / "cache"
        [packages] = folder.glob("lib/python*/site-packages")
        # A .pth file and not system_site_packages: what runs this may itself live in a virtual environment.
        beside = sysconfig.get_path("purelib")
        (packages / "beside.pth").write_text(f"import site; site.addsitedir({beside!r})\n")

    def install(self, folders: Sequence[Path]) -> None:
        """Build a wheel of each folder and install it."""
        options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", *options]
        subprocess.run([*pip, *map(str, folders)], check=True, timeout=_INSTALL_S)

    def run(
        self, command: Sequence[str], folder: Path, *, timeout_s: float, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`python` with arguments, or a script of the environment, in `folder`; both streams are the output."""
        path = f"{self.bin}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
