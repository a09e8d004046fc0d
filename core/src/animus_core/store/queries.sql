-- Every statement that the core runs, by name, grouped by the table it changes or reads first.
-- A header `-- name: some_name` begins a statement, which reaches to the next header; one statement a name.

-- == queue ==

-- name: queue_insert
INSERT INTO queue_entry (
    entry_id, subject_kind, subject_id, workflow_ref, title, status, priority,
    requested_at, enqueued_at, run_at, hold_reason, dispatch
) VALUES (
    :entry_id, :subject_kind, :subject_id, :workflow_ref, :title, :status, :priority,
    :requested_at, :enqueued_at, :run_at, :hold_reason, :dispatch
);

-- name: queue_get
SELECT * FROM queue_entry WHERE entry_id = :entry_id;

-- name: queue_active_of_subject
SELECT * FROM queue_entry
WHERE subject_kind = :subject_kind AND subject_id = :subject_id AND status IN ('pending', 'held', 'assigned');

-- Before queue_next: what was deferred until now becomes ready.
-- name: queue_promote_due
UPDATE queue_entry SET run_at = NULL
WHERE status = 'pending' AND run_at IS NOT NULL AND run_at <= :now;

-- When queue_promote_due has something to do again.
-- name: queue_next_due_at
SELECT min(run_at) FROM queue_entry WHERE status = 'pending' AND run_at IS NOT NULL;

-- name: queue_next
SELECT * FROM queue_entry
WHERE status = 'pending' AND run_at IS NULL AND priority <= :lowest_priority
ORDER BY priority, requested_at, entry_id
LIMIT :limit;

-- name: queue_assign
UPDATE queue_entry SET status = 'assigned', run_id = :run_id WHERE entry_id = :entry_id AND status = 'pending';

-- == runs ==

-- name: run_insert
INSERT INTO run (run_id, entry_id, subject_kind, subject_id, workflow_ref, status, epoch, created_at)
VALUES (:run_id, :entry_id, :subject_kind, :subject_id, :workflow_ref, :status, :epoch, :created_at);

-- name: run_advance_journal
UPDATE run SET journal_offset = :journal_offset, journal_seq = :journal_seq
WHERE run_id = :run_id AND journal_offset <= :journal_offset;

-- == events ==

-- name: event_insert
INSERT INTO event (run_id, seq, kind, at, data) VALUES (:run_id, :seq, :kind, :at, :data) RETURNING event_id;

-- name: event_after
SELECT * FROM event WHERE event_id > :event_id ORDER BY event_id LIMIT :limit;

-- == facts ==

-- name: fact_insert
INSERT INTO fact (fact_id, run_id, subject_kind, subject_id, kind, at, data)
VALUES (:fact_id, :run_id, :subject_kind, :subject_id, :kind, :at, :data) RETURNING fact_seq;

-- name: fact_after
SELECT * FROM fact WHERE fact_seq > :fact_seq ORDER BY fact_seq LIMIT :limit;
