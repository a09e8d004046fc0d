from animus_sdk import DaemonEventRecord, Notifier, NotifierFlushResult, serve


class Bell(Notifier):
    name, version = "bell", "1.0.0"
    connector_kinds = ("bell",)

    def start(self, project):
        self.waiting: list[str] = []

    def notify(self, event: DaemonEventRecord) -> int:
        if event.event_type != "workflow_failed":
            return 0  # nobody wants it
        self.waiting.append(event.id)
        return 1

    def flush(self, project_root: str | None) -> NotifierFlushResult:
        self.waiting.clear()
        return NotifierFlushResult()


if __name__ == "__main__":
    serve(Bell)
