from datetime import UTC, datetime

from animus_sdk import (
    ChangeKind,
    InvalidParams,
    NotFound,
    Subject,
    SubjectBackend,
    SubjectChangedEvent,
    SubjectCreateParams,
    SubjectFilter,
    SubjectPatch,
    SubjectStatus,
    first_ready,
    serve,
)

WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class Letters(SubjectBackend):
    name, version = "letters", "1.0.0"
    subject_kinds = ("letter",)

    def start(self, project):
        first = Subject(id="L-1", kind="letter", title="To Ada", status="ready", created_at=WRITTEN, updated_at=WRITTEN)
        self.letters = {"L-1": first}

    def list(self, filter: SubjectFilter) -> list[Subject]:
        return list(self.letters.values())

    def get(self, id: str) -> Subject:
        if id not in self.letters:
            raise NotFound(f"letter {id}")
        return self.letters[id]

    def create(self, request: SubjectCreateParams) -> Subject:
        if not request.title.strip():
            raise InvalidParams("title: a letter needs one")
        return self._keep(
            Subject(
                id=f"L-{len(self.letters) + 1}",
                kind="letter",
                title=request.title,
                status="ready",
                created_at=WRITTEN,
                updated_at=WRITTEN,
            )
        )

    def update(self, id: str, patch: SubjectPatch) -> Subject:
        old = self.get(id)
        labels = [label for label in [*old.labels, *patch.labels_add] if label not in patch.labels_remove]
        return self._keep(old.model_copy(update={"labels": labels, "status": patch.status or old.status}))

    def next(self, kind: str | None) -> Subject | None:
        return first_ready(self.letters.values())

    def status(self, id: str, status: SubjectStatus) -> Subject:
        return self._keep(self.get(id).model_copy(update={"status": status}))

    def delete(self, id: str) -> bool:
        return self.letters.pop(id, None) is not None

    def watch(self, filter: SubjectFilter):
        yield SubjectChangedEvent(id="L-1", change_kind=ChangeKind.CREATED, subject=self.letters["L-1"])

    def _keep(self, letter: Subject) -> Subject:
        self.letters[letter.id] = letter
        return letter


if __name__ == "__main__":
    serve(Letters)
