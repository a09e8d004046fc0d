"""The plugin: puts a message for each event into an outbox, from where another program sends it on.

A host starts it as `{{ cookiecutter.__distribution }}`; below it lie `message.py` and `state.py`.
"""

from __future__ import annotations

import os

from animus_sdk import DaemonEventRecord, Notifier, ProjectBinding, Unavailable, serve

from {{ cookiecutter.__package }}.message import file_name, message
from {{ cookiecutter.__package }}.state import CONFIG_DIR, state_folder

__all__ = ["{{ cookiecutter.__class }}", "main"]


class {{ cookiecutter.__class }}(Notifier):
    """Messages in a folder."""

    name = "{{ cookiecutter.__distribution }}"
    version = "0.1.0"
    description = {{ cookiecutter.__description | python }}
    connector_kinds = ("outbox",)
    env = (CONFIG_DIR,)

    def start(self, project: ProjectBinding) -> None:
        """Know where the outbox is; it is made with the first message."""
        self._outbox = state_folder(project, self.name) / "outbox"

    def notify(self, event: DaemonEventRecord) -> int:
        """The count of messages that were written: none for an event whose message is there already.

        A message appears as a whole, and is on the disk when this returns. Raises Unavailable.
        """
        path = self._outbox / file_name(event)
        draft = path.with_suffix(".draft")
        try:
            self._outbox.mkdir(parents=True, exist_ok=True)
            if path.exists():
                return 0
            with draft.open("w", encoding="utf-8") as file:
                file.write(message(event))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            self._keep_names()
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from error
        return 1

    def _keep_names(self) -> None:
        """A rename is on the disk once its folder is."""
        folder = os.open(self._outbox, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def main() -> None:
    """The console script."""
    serve({{ cookiecutter.__class }})
