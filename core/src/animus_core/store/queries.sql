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

-- == queue: lists and moves ==

-- name: queue_list
SELECT * FROM queue_entry
WHERE CASE WHEN :status IS NULL THEN status IN ('pending', 'held', 'assigned') ELSE status = :status END
ORDER BY priority, requested_at, entry_id
LIMIT :limit OFFSET :offset;

-- name: queue_active_by_subject_id
SELECT * FROM queue_entry WHERE subject_id = :subject_id AND status IN ('pending', 'held', 'assigned');

-- name: queue_move
UPDATE queue_entry SET status = :status, hold_reason = :hold_reason, ended_at = :ended_at WHERE entry_id = :entry_id;

-- name: queue_counts
SELECT status, count(*) AS entries FROM queue_entry GROUP BY status;

-- == runs: reading and projecting ==

-- name: run_get
SELECT * FROM run WHERE run_id = :run_id;

-- name: run_list
SELECT * FROM run WHERE (:status IS NULL OR status = :status) ORDER BY created_at DESC, run_id DESC
LIMIT :limit OFFSET :offset;

-- name: run_unfinished
SELECT * FROM run WHERE status IN ('pending', 'running') ORDER BY created_at;

-- name: run_set_epoch
UPDATE run SET epoch = :epoch WHERE run_id = :run_id;

-- name: run_set_process
UPDATE run SET pid = :pid, starttime = :starttime, boot_id = :boot_id WHERE run_id = :run_id;

-- name: run_started
UPDATE run SET status = 'running', started_at = coalesce(started_at, :at), reason = NULL, hint = NULL
WHERE run_id = :run_id;

-- name: run_phase
UPDATE run SET status = 'running', current_phase = :phase_id, attempt = :attempt WHERE run_id = :run_id;

-- name: run_blocked
UPDATE run SET status = 'blocked', reason = :reason, hint = :hint WHERE run_id = :run_id;

-- name: run_ended
UPDATE run SET status = :status, finished_at = :at, reason = :reason, hint = NULL WHERE run_id = :run_id;

-- name: queue_run_ended
UPDATE queue_entry SET status = 'done', ended_at = :at
WHERE entry_id = (SELECT entry_id FROM run WHERE run_id = :run_id);

-- name: phase_started
INSERT INTO phase (run_id, ordinal, phase_id, attempt, status, started_at)
VALUES (:run_id, :ordinal, :phase_id, :attempt, 'running', :at);

-- name: phase_outcome
UPDATE phase SET status = :status, reason = :reason, finished_at = :at
WHERE run_id = :run_id AND phase_id = :phase_id AND attempt = :attempt;

-- name: phase_decided
UPDATE phase SET status = :status, verdict = :verdict, reason = :reason, finished_at = :at
WHERE run_id = :run_id AND phase_id = :phase_id AND attempt = :attempt;

-- name: phases_of_run
SELECT * FROM phase WHERE run_id = :run_id ORDER BY started_at, ordinal, attempt;

-- == events: the newest ==

-- name: event_last_id
SELECT coalesce(max(event_id), 0) FROM event;

-- == facts ==

-- name: fact_exists
SELECT 1 FROM fact WHERE fact_id = :fact_id;

-- name: fact_count
SELECT count(*) FROM fact;

-- == projectors ==

-- name: cursor_get
SELECT fact_seq FROM projector_cursor WHERE projector = :projector;

-- name: cursor_set
INSERT INTO projector_cursor (projector, fact_seq) VALUES (:projector, :fact_seq)
ON CONFLICT (projector) DO UPDATE SET fact_seq = excluded.fact_seq WHERE fact_seq < excluded.fact_seq;

-- name: parked_insert
INSERT INTO parked (projector, subject_kind, subject_id, fact_seq, error, parked_at)
VALUES (:projector, :subject_kind, :subject_id, :fact_seq, :error, :parked_at)
ON CONFLICT DO NOTHING;

-- name: parked_get
SELECT * FROM parked WHERE projector = :projector AND subject_kind = :subject_kind AND subject_id = :subject_id;

-- name: parked_list
SELECT * FROM parked ORDER BY parked_at;
