"""What tests of installing plugins share: a name, what lies in the folder of installed plugins, and how to fill it."""

from __future__ import annotations

import os
from pathlib import Path

from animus_core.supply.install.install import install
from animus_core.supply.install.request import InstallRequest

ANSWER_S = 30.0
NAME = "animus-notifier-x"


def in_plugins(config_dir: Path) -> list[str]:
    """What lies in the folder of installed plugins."""
    place = config_dir / "plugins"
    return sorted(os.listdir(place)) if place.exists() else []


async def register(config_dir: Path, program: Path) -> None:
    """Install a file without a command."""

    async def no(question: str) -> bool:
        return False

    request = InstallRequest.parse(str(program), program.parent)
    await install(config_dir, request, report=lambda step: None, confirm=no)
