-- The schema of workflow.db, version 1: what a database is made of that does not exist yet.
-- Times are RFC 3339 in UTC with milliseconds and a Z, so they sort as texts. `data` and `dispatch` are JSON.

-- == queue ==

-- dispatch: the whole of it, as it was accepted; the other columns repeat what is searched and sorted by.
CREATE TABLE queue_entry (
    entry_id     TEXT PRIMARY KEY,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    workflow_ref TEXT NOT NULL,
    title        TEXT,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'held', 'assigned', 'done', 'dropped')),
    priority     INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 4),
    requested_at TEXT NOT NULL,
    enqueued_at  TEXT NOT NULL,
    run_at       TEXT,              -- not before this moment; set to NULL once it has come, see queue_ready
    hold_reason  TEXT,
    run_id       TEXT,
    dispatch     TEXT NOT NULL CHECK (json_valid(dispatch)),
    ended_at     TEXT
) STRICT;

-- One active entry a subject. The database sees to it: no door can start the same work twice by forgetting to ask.
CREATE UNIQUE INDEX queue_active ON queue_entry (subject_kind, subject_id)
    WHERE status IN ('pending', 'held', 'assigned');

-- What may start now, in order. Deferred entries are not in it, so that taking the next one costs the same however many
-- of them are waiting; queue_promote_due moves each over once, when its moment has come.
CREATE INDEX queue_ready ON queue_entry (priority, requested_at, entry_id)
    WHERE status = 'pending' AND run_at IS NULL;
CREATE INDEX queue_deferred ON queue_entry (run_at)
    WHERE status = 'pending' AND run_at IS NOT NULL;

-- == runs: a projection of their journals ==

-- entry_id: SET NULL, because a run and its history outlive the entry that started it.
-- journal_offset: moved in the transaction that takes the records, so each record counts once.
-- pid, starttime, boot_id: together they are one process; any of them alone may be that of another one.
CREATE TABLE run (
    run_id         TEXT PRIMARY KEY,
    entry_id       TEXT REFERENCES queue_entry (entry_id) ON DELETE SET NULL,
    subject_kind   TEXT NOT NULL,
    subject_id     TEXT NOT NULL,
    workflow_ref   TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (
        status IN ('pending', 'running', 'paused', 'blocked', 'completed', 'failed', 'cancelled')
    ),
    epoch          INTEGER NOT NULL,
    created_at     TEXT NOT NULL,
    started_at     TEXT,
    finished_at    TEXT,
    current_phase  TEXT,
    attempt        INTEGER,
    reason         TEXT,
    hint           TEXT,
    journal_offset INTEGER NOT NULL DEFAULT 0,
    journal_seq    INTEGER NOT NULL DEFAULT 0,
    pid            INTEGER,
    starttime      TEXT,
    boot_id        TEXT
) STRICT;

CREATE INDEX run_status ON run (status);
CREATE INDEX run_entry ON run (entry_id) WHERE entry_id IS NOT NULL;

CREATE TABLE phase (
    run_id      TEXT NOT NULL REFERENCES run (run_id) ON DELETE CASCADE,
    ordinal     INTEGER NOT NULL,
    phase_id    TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    status      TEXT NOT NULL,
    verdict     TEXT,
    reason      TEXT,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    PRIMARY KEY (run_id, phase_id, attempt)
) STRICT;

-- == events and facts: append-only, and they outlive a run that is pruned, so they refer to it without a foreign key ==

-- event_id: AUTOINCREMENT, so that an id which a client has seen is never given out again, whatever is deleted.
CREATE TABLE event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   TEXT,
    seq      INTEGER,
    kind     TEXT NOT NULL,
    at       TEXT NOT NULL,
    data     TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

-- Not for events of the daemon itself, which have no run and no place in a journal.
CREATE UNIQUE INDEX event_of_run ON event (run_id, seq) WHERE run_id IS NOT NULL;

-- fact_id: made of the run and the record, so a replayed journal names the same facts, and projectors see none twice.
CREATE TABLE fact (
    fact_seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    fact_id      TEXT NOT NULL UNIQUE,
    run_id       TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    kind         TEXT NOT NULL,
    at           TEXT NOT NULL,
    data         TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

-- == projectors ==

CREATE TABLE projector_cursor (
    projector TEXT PRIMARY KEY,
    fact_seq  INTEGER NOT NULL
) STRICT;

-- One subject and not the projector: what cannot be applied to one must not hold up all the others.
CREATE TABLE parked (
    projector    TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    fact_seq     INTEGER NOT NULL,
    error        TEXT NOT NULL,
    parked_at    TEXT NOT NULL,
    PRIMARY KEY (projector, subject_kind, subject_id)
) STRICT;
