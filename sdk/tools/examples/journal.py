from animus_sdk import LogEntry, LogQuery, LogQueryResult, LogStorageBackend, SupportsFiltering, serve


class Journal(LogStorageBackend):
    name, version = "journal", "1.0.0"
    dedups = True
    filters = SupportsFiltering(by_level=True)

    def start(self, project):
        self.entries: dict[str, LogEntry] = {}

    def store(self, entries: list[LogEntry]) -> int:
        new = {entry.id: entry for entry in entries if entry.id not in self.entries}
        self.entries.update(new)
        return len(new)

    def query(self, query: LogQuery) -> LogQueryResult:
        levels = ["trace", "debug", "info", "warn", "error"]
        shown = levels[levels.index(query.min_level or "trace") :]
        found = [entry for entry in self.entries.values() if entry.level in shown]
        return LogQueryResult(entries=found[: query.limit])

    def tail(self, query: LogQuery):
        yield from self.entries.values()


if __name__ == "__main__":
    serve(Journal)
