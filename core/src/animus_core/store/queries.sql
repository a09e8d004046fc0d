-- Every statement that the core runs, by name, grouped by the table it changes or reads first.
-- A header `-- name: some_name` begins a statement, which reaches to the next header; one statement a name.

-- A remark stands above its header, so the parser never makes it a part of a statement.
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

-- The statuses are those of the index queue_active: whoever enqueues finds here what the index would refuse.
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

-- Exactly the rows and the order of the index queue_ready: a tick costs the same with 100,000 entries as with 100.
-- The id comes last, so that entries of one moment have an order that no restart changes.
-- name: queue_next
SELECT * FROM queue_entry
WHERE status = 'pending' AND run_at IS NULL AND priority <= :lowest_priority
ORDER BY priority, requested_at, entry_id
LIMIT :limit;

-- Only what is still pending: a person may have held or dropped the entry since it was read. No row: no run.
-- name: queue_assign
UPDATE queue_entry SET status = 'assigned', run_id = :run_id WHERE entry_id = :entry_id AND status = 'pending';

-- == runs ==

-- name: run_insert
INSERT INTO run (run_id, entry_id, subject_kind, subject_id, workflow_ref, status, epoch, created_at)
VALUES (:run_id, :entry_id, :subject_kind, :subject_id, :workflow_ref, :status, :epoch, :created_at);

-- Never back: a batch that was read earlier must not undo the progress of a later one.
-- name: run_advance_journal
UPDATE run SET journal_offset = :journal_offset, journal_seq = :journal_seq
WHERE run_id = :run_id AND journal_offset <= :journal_offset;

-- == events ==

-- The index event_of_run refuses a record of a journal that is taken twice, and with it the whole transaction.
-- name: event_insert
INSERT INTO event (run_id, seq, kind, at, data) VALUES (:run_id, :seq, :kind, :at, :data) RETURNING event_id;

-- By id and not by time: two events may have one millisecond, and clocks are set back.
-- name: event_after
SELECT * FROM event WHERE event_id > :event_id ORDER BY event_id LIMIT :limit;

-- == facts ==

-- name: fact_insert
INSERT INTO fact (fact_id, run_id, subject_kind, subject_id, kind, at, data)
VALUES (:fact_id, :run_id, :subject_kind, :subject_id, :kind, :at, :data) RETURNING fact_seq;

-- name: fact_after
SELECT * FROM fact WHERE fact_seq > :fact_seq ORDER BY fact_seq LIMIT :limit;

-- == queue: lists and moves ==

-- Without a status only active entries: what is over only grows, and nobody waits for it.
-- name: queue_list
SELECT * FROM queue_entry
WHERE CASE WHEN :status IS NULL THEN status IN ('pending', 'held', 'assigned') ELSE status = :status END
ORDER BY priority, requested_at, entry_id
LIMIT :limit OFFSET :offset;

-- Without the kind, which people do not type: several rows are several kinds, and the caller refuses to choose.
-- name: queue_active_by_subject_id
SELECT * FROM queue_entry WHERE subject_id = :subject_id AND status IN ('pending', 'held', 'assigned');

-- name: queue_move
UPDATE queue_entry SET status = :status, hold_reason = :hold_reason, ended_at = :ended_at WHERE entry_id = :entry_id;

-- name: queue_counts
SELECT status, count(*) AS entries FROM queue_entry GROUP BY status;

-- == runs: reading and projecting ==

-- name: run_get
SELECT * FROM run WHERE run_id = :run_id;

-- The id makes the order whole: pages are cut by offset, and runs of one millisecond must not change places.
-- name: run_list
SELECT * FROM run WHERE (:status IS NULL OR status = :status) ORDER BY created_at DESC, run_id DESC
LIMIT :limit OFFSET :offset;

-- Blocked runs are not among them: they wait for a person and have no process to watch.
-- name: run_unfinished
SELECT * FROM run WHERE status IN ('pending', 'running') ORDER BY created_at;

-- name: run_set_epoch
UPDATE run SET epoch = :epoch WHERE run_id = :run_id;

-- A pid alone proves nothing after a reboot or once the number is given out again.
-- name: run_set_process
UPDATE run SET pid = :pid, starttime = :starttime, boot_id = :boot_id WHERE run_id = :run_id;

-- Also for a run that is resumed: its first start stays, and why it was blocked is over.
-- name: run_started
UPDATE run SET status = 'running', started_at = coalesce(started_at, :at), reason = NULL, hint = NULL
WHERE run_id = :run_id;

-- name: run_phase
UPDATE run SET status = 'running', current_phase = :phase_id, attempt = :attempt WHERE run_id = :run_id;

-- name: run_blocked
UPDATE run SET status = 'blocked', reason = :reason, hint = :hint WHERE run_id = :run_id;

-- The hint tells how to go on, which a run that is over cannot.
-- name: run_ended
UPDATE run SET status = :status, finished_at = :at, reason = :reason, hint = NULL WHERE run_id = :run_id;

-- In the transaction of run_ended: its subject may be enqueued again from then on.
-- name: queue_run_ended
UPDATE queue_entry SET status = 'done', ended_at = :at
WHERE entry_id = (SELECT entry_id FROM run WHERE run_id = :run_id);

-- name: phase_started
INSERT INTO phase (run_id, ordinal, phase_id, attempt, status, started_at)
VALUES (:run_id, :ordinal, :phase_id, :attempt, 'running', :at);

-- name: phase_outcome
UPDATE phase SET status = :status, reason = :reason, finished_at = :at
WHERE run_id = :run_id AND phase_id = :phase_id AND attempt = :attempt;

-- The attempt is in the key: a phase that is sent back keeps the verdict of each earlier visit.
-- name: phase_decided
UPDATE phase SET status = :status, verdict = :verdict, reason = :reason, finished_at = :at
WHERE run_id = :run_id AND phase_id = :phase_id AND attempt = :attempt;

-- name: phases_of_run
SELECT * FROM phase WHERE run_id = :run_id ORDER BY started_at, ordinal, attempt;

-- == events: the newest ==

-- 0 for an empty table: a stream from there misses nothing.
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

-- Never back: a projector is shown a fact again rather than never, and once it is past one, only later ones.
-- name: cursor_set
INSERT INTO projector_cursor (projector, fact_seq) VALUES (:projector, :fact_seq)
ON CONFLICT (projector) DO UPDATE SET fact_seq = excluded.fact_seq WHERE fact_seq < excluded.fact_seq;

-- The first failure stays: the facts behind it are passed over because of it, and it is what has to be fixed.
-- name: parked_insert
INSERT INTO parked (projector, subject_kind, subject_id, fact_seq, error, parked_at)
VALUES (:projector, :subject_kind, :subject_id, :fact_seq, :error, :parked_at)
ON CONFLICT DO NOTHING;

-- name: parked_get
SELECT * FROM parked WHERE projector = :projector AND subject_kind = :subject_kind AND subject_id = :subject_id;

-- name: parked_list
SELECT * FROM parked ORDER BY parked_at;
