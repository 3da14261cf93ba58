-- Every statement the SQLite store runs, under its name.
--
-- A statement that ends in `VALUES (?, …)`, or has it before `ON CONFLICT`, may be
-- repeated for many rows at once (see store/queries.py).

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: savepoint
SAVEPOINT one;

-- name: release
RELEASE one;

-- name: undo
ROLLBACK TO one;

-- ===== writing ====================================================================

-- name: versions
-- Number, version and chain of each run of a batch that exists, as one JSON value.
SELECT json_group_array(json_array(runs.id, runs.n, runs.version,
                                   CASE WHEN runs.chain IS NOT NULL THEN hex(runs.chain) END))
FROM json_each(?) AS wanted CROSS JOIN runs ON runs.id = wanted.value;

-- name: last_run_number
SELECT coalesce(max(n), 0) FROM runs;

-- name: put_definitions
-- A definition is known by its digest, so a second one is the same one.
INSERT INTO definitions (digest, name, source) VALUES (?, ?, ?)
ON CONFLICT (digest) DO NOTHING;

-- name: put_runs
-- A run's projection after the last of its events. What it was started with never changes.
INSERT INTO runs (n, id, workflow, digest, status, version, labels, inputs, outputs, error,
                  created_at, started_at, finished_at, wake_at, waits_for, chain)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (n) DO UPDATE SET
  status = excluded.status, version = excluded.version, outputs = excluded.outputs,
  error = excluded.error, started_at = excluded.started_at,
  finished_at = excluded.finished_at, wake_at = excluded.wake_at, waits_for = excluded.waits_for,
  chain = excluded.chain;

-- name: put_labels
INSERT INTO labels (name, value, run)
SELECT "key", value, :run FROM json_each(:labels);

-- name: put_events
INSERT INTO events (run, version, type, at, subject, schema, data) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: put_jobs
-- A job's projection; what it was created as never changes.
INSERT INTO jobs (id, run, step, "index", attempt, connection, operation, status, task_id, lane, wake_at,
                  deadline_at, created_at, submitted_at, finished_at, credits, error, reserved)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
  status = excluded.status, task_id = excluded.task_id, lane = excluded.lane,
  wake_at = excluded.wake_at, deadline_at = excluded.deadline_at,
  submitted_at = excluded.submitted_at, finished_at = excluded.finished_at,
  credits = excluded.credits, error = excluded.error, reserved = excluded.reserved, asks = NULL;

-- name: put_numbers
-- A counter only ever grows.
INSERT INTO numbers (scope, number) VALUES (?, ?)
ON CONFLICT (scope) DO UPDATE SET number = max(number, excluded.number);

-- name: held
-- How much of a resource all holders have together, and how much of it one of them.
SELECT coalesce((SELECT used FROM resources WHERE name = :resource), 0),
       coalesce((SELECT amount FROM holds WHERE resource = :resource AND holder = :holder), 0);

-- name: is_waited_for
-- Whether a run waits for the resource since before this one.
SELECT 1 FROM runs WHERE waits_for IS NOT NULL AND waits_for = :resource AND id < :holder LIMIT 1;

-- name: put_hold
INSERT INTO holds (resource, holder, amount) VALUES (?, ?, ?)
ON CONFLICT (resource, holder) DO UPDATE SET amount = excluded.amount;

-- name: drop_hold
DELETE FROM holds WHERE resource = ? AND holder = ?;

-- name: put_resource
-- How much more of a resource is in use, and how much of it there is, where that is known.
INSERT INTO resources (name, used, most) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET used = used + excluded.used, most = coalesce(excluded.most, most);

-- name: put_rate_windows
INSERT INTO rate_windows (scope, requests, period, sent, ahead, written_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (scope, requests, period) DO UPDATE SET
  sent = excluded.sent, ahead = excluded.ahead, written_at = excluded.written_at;

-- name: put_idempotency_keys
INSERT INTO idempotency_keys ("key", body_digest, run) VALUES (?, ?, ?);

-- name: put_deliveries
INSERT INTO deliveries (id, job, connection, received_at, method, query, headers, content_type, body, size,
                        remote, verdict, duplicate_of, error, redelivery_of, hook, run)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: settle
-- Each row of the argument: id, verdict, duplicate_of, error, run.
UPDATE deliveries
SET verdict = s.value ->> 1, duplicate_of = s.value ->> 2, error = s.value ->> 3, run = s.value ->> 4
FROM json_each(?) AS s
WHERE deliveries.id = s.value ->> 0;

-- name: postpone
-- Each row of the argument: job, wake_at, asks. A job that waits for nothing any more stays so.
UPDATE jobs SET wake_at = p.value ->> 1, asks = p.value ->> 2
FROM json_each(?) AS p
WHERE jobs.id = p.value ->> 0 AND jobs.wake_at IS NOT NULL;

-- name: postpone_runs
-- Likewise for runs.
UPDATE runs SET wake_at = p.value ->> 1
FROM json_each(?) AS p
WHERE runs.id = p.value ->> 0 AND runs.wake_at IS NOT NULL;

-- name: hurry
-- Each row of the argument: connection, now. A first attempt waits only because it was refused for now.
UPDATE jobs SET wake_at = h.value ->> 1
FROM json_each(?) AS h
WHERE jobs.connection = h.value ->> 0 AND jobs.lane = 'submit' AND jobs.wake_at > h.value ->> 1
  AND jobs.attempt = 1 AND jobs.asks IS NULL;

-- name: put_connections
-- How each of a JSON list of connections stands: name, paused_by, cause, reason, paused_at, paused_until, credits.
INSERT INTO connections (name, paused_by, cause, reason, paused_at, paused_until, credits)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?) WHERE true
ON CONFLICT (name) DO UPDATE SET
  paused_by = excluded.paused_by, cause = excluded.cause, reason = excluded.reason,
  paused_at = excluded.paused_at, paused_until = excluded.paused_until, credits = excluded.credits;

-- name: put_connection_event
INSERT INTO events (connection, version, type, at, subject, schema, data)
SELECT c.n, coalesce((SELECT max(version) FROM events WHERE connection = c.n), 0) + 1,
       :type, :at, '', :schema, :data
FROM connections c WHERE c.name = :name;

-- name: begin_epoch
INSERT INTO epochs (taken_at, restored_at) VALUES (?, ?);

-- name: take_up_epoch
UPDATE epochs SET taken_up_at = ? WHERE taken_up_at IS NULL;

-- name: open_epoch
-- The backup of the first of them knew least, and what was restored last is what is in doubt.
SELECT min(taken_at), max(restored_at) FROM epochs WHERE taken_up_at IS NULL HAVING count(*) > 0;

-- name: raise_numbers
UPDATE numbers SET number = max(number + :since, :number);

-- name: write_readiness
INSERT INTO readiness (one, written_at) VALUES (1, ?)
ON CONFLICT (one) DO UPDATE SET written_at = excluded.written_at;

-- name: put_event_types
-- The names this version knows, as a JSON list.
INSERT INTO event_types (name) SELECT value FROM json_each(?) WHERE true
ON CONFLICT (name) DO NOTHING;

-- ===== pruning ====================================================================
--
-- A run may go when it ended before :ended, no task of it can bring anything more, nothing that came
-- for it is unread, no step of a run that is kept is this run, its idempotency key is old enough to be
-- forgotten, and it does not have the last event of the log, whose number must not be used again.
-- Ids sort by time, so that none above :beyond can have ended by then.

-- name: prunable
SELECT r.n, r.id, r.version FROM runs r
WHERE r.id > :after AND r.id < :beyond AND r.finished_at < :ended
  AND +r.status IN ('succeeded', 'failed', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.run = r.n AND (j.wake_at IS NOT NULL
                                         OR (j.status <> 'succeeded' AND j.deadline_at > :now)))
  AND NOT EXISTS (SELECT 1 FROM jobs j JOIN deliveries d ON d.job = j.id
                  WHERE j.run = r.n AND d.verdict = 'pending')
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = 'job_' || substr(r.id, 5))
  AND (r.created_at < :keys OR NOT EXISTS (SELECT 1 FROM idempotency_keys k WHERE k.run = r.n))
  AND r.n IS NOT (SELECT run FROM events WHERE seq = (SELECT max(seq) FROM events))
ORDER BY r.id LIMIT :limit;

-- name: count_jobs
-- Runs are a JSON list of numbers, here and below.
SELECT count(*) FROM jobs WHERE run IN (SELECT value FROM json_each(:runs));

-- name: count_deliveries
SELECT count(*) FROM jobs j JOIN deliveries d ON d.job = j.id
WHERE j.run IN (SELECT value FROM json_each(:runs));

-- name: prune_deliveries_of
DELETE FROM deliveries
WHERE job IN (SELECT id FROM jobs WHERE run IN (SELECT value FROM json_each(:runs)));

-- name: merge_holds
-- What jobs of the runs have spent of budgets goes on to count, in one row for all that were removed.
INSERT INTO holds (resource, holder, amount)
SELECT h.resource, 'removed', sum(h.amount)
FROM resources s CROSS JOIN jobs j ON j.run IN (SELECT value FROM json_each(:runs))
CROSS JOIN holds h ON h.resource = s.name AND h.holder = j.id
WHERE s.name > 'budget/' AND s.name < 'budget0' GROUP BY h.resource
ON CONFLICT (resource, holder) DO UPDATE SET amount = amount + excluded.amount;

-- name: prune_holds
DELETE FROM holds WHERE (resource, holder) IN (
  SELECT s.name, j.id FROM resources s CROSS JOIN jobs j ON j.run IN (SELECT value FROM json_each(:runs))
  WHERE s.name > 'budget/' AND s.name < 'budget0'
);

-- name: budgets
SELECT name FROM resources WHERE name > 'budget/' AND name < 'budget0';

-- name: holders
SELECT holder FROM holds WHERE resource = :resource LIMIT :limit;

-- name: drop_holds
-- Of one resource those of a JSON list of holders.
DELETE FROM holds WHERE resource = :resource AND holder IN (SELECT value FROM json_each(:holders));

-- name: drop_resource
-- One of which nobody has anything.
DELETE FROM resources WHERE name = :resource AND NOT EXISTS (SELECT 1 FROM holds WHERE resource = :resource);

-- name: prune_jobs
DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE run IN (SELECT value FROM json_each(:runs)));

-- name: prune_events
DELETE FROM events WHERE run IN (SELECT value FROM json_each(:runs));

-- name: prune_labels
DELETE FROM labels WHERE run IN (SELECT value FROM json_each(:runs));

-- name: prune_keys
DELETE FROM idempotency_keys WHERE run IN (SELECT value FROM json_each(:runs));

-- name: prune_runs
DELETE FROM runs WHERE n IN (SELECT value FROM json_each(:runs));

-- name: old_deliveries
SELECT count(*), max(id) FROM (
  SELECT id FROM deliveries
  WHERE id > :after AND id < :beyond AND received_at < :received AND verdict <> 'pending'
  ORDER BY id LIMIT :limit
);

-- name: prune_deliveries
DELETE FROM deliveries
WHERE id > :after AND id <= :last AND received_at < :received AND verdict <> 'pending';

-- name: free_bytes
-- What was freed inside the file and will be used again.
SELECT f.freelist_count * p.page_size FROM pragma_freelist_count f, pragma_page_size p;

-- name: mentions
-- The events that mention an artifact, but for those of runs that ended before :ended.
SELECT e.data FROM events e LEFT JOIN runs r ON r.n = e.run
WHERE e.seq > :after AND e.seq <= :last AND instr(e.data, CAST('sha256:' AS BLOB)) > 0
  AND (r.finished_at IS NULL OR r.finished_at >= :ended
       OR EXISTS (SELECT 1 FROM jobs j WHERE j.run = r.n AND j.wake_at IS NOT NULL));

-- name: definitions
SELECT source FROM definitions;

-- ===== log ========================================================================

-- name: event_types
SELECT name, n FROM event_types;

-- name: last_sequence
SELECT coalesce(max(seq), 0) FROM events;

-- name: read_stream
SELECT e.seq, e.version, t.name, e.at, e.subject, e.data
FROM events e JOIN event_types t ON t.n = e.type
WHERE e.run = (SELECT n FROM runs WHERE id = :stream) AND e.version > :after
ORDER BY e.version;

-- name: read_connection
SELECT e.seq, e.version, t.name, e.at, e.subject, e.data
FROM connections c CROSS JOIN events e ON e.connection = c.n JOIN event_types t ON t.n = e.type
WHERE c.name = :connection AND e.version > :after
ORDER BY e.version;

-- name: tail
SELECT e.seq, coalesce(r.id, 'connections/' || c.name), e.version, t.name, e.at, e.subject, e.data
FROM events e JOIN event_types t ON t.n = e.type
LEFT JOIN runs r ON r.n = e.run LEFT JOIN connections c ON c.n = e.connection
WHERE e.seq > :after AND e.at >= :since
ORDER BY e.seq LIMIT :limit;

-- name: tail_stream
-- Types are a JSON list of GLOB patterns.
SELECT e.seq, r.id, e.version, t.name, e.at, e.subject, e.data
FROM runs r CROSS JOIN events e ON e.run = r.n JOIN event_types t ON t.n = e.type
WHERE r.id = :stream AND e.seq > :after AND e.at >= :since
  AND EXISTS (SELECT 1 FROM json_each(:types) p WHERE t.name GLOB p.value)
ORDER BY e.version LIMIT :limit;

-- name: tail_connection
SELECT e.seq, :stream, e.version, t.name, e.at, e.subject, e.data
FROM connections c CROSS JOIN events e ON e.connection = c.n JOIN event_types t ON t.n = e.type
WHERE c.name = :connection AND e.seq > :after AND e.at >= :since
  AND EXISTS (SELECT 1 FROM json_each(:types) p WHERE t.name GLOB p.value)
ORDER BY e.version LIMIT :limit;

-- name: moment_after
SELECT at FROM events WHERE seq > :seq ORDER BY seq LIMIT 1;

-- name: types_like
-- The numbers of the types that match one of a JSON list of GLOB patterns.
SELECT t.n FROM event_types t
WHERE EXISTS (SELECT 1 FROM json_each(:types) p WHERE t.name GLOB p.value);

-- name: tail_type
-- The next sequences of one type; asked for each type, because a rare one must not read the whole log.
SELECT seq FROM events WHERE type = :type AND seq > :after AND at >= :since
ORDER BY seq LIMIT :limit;

-- name: events_at
-- The events with a JSON list of sequences.
SELECT e.seq, coalesce(r.id, 'connections/' || c.name), e.version, t.name, e.at, e.subject, e.data
FROM json_each(:sequences) s CROSS JOIN events e ON e.seq = s.value
JOIN event_types t ON t.n = e.type
LEFT JOIN runs r ON r.n = e.run LEFT JOIN connections c ON c.n = e.connection
ORDER BY e.seq;

-- name: definition
SELECT source FROM definitions WHERE digest = :digest;

-- ===== inbox ======================================================================

-- name: pending
SELECT id, job, connection, received_at, method, query, headers, content_type, body, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries WHERE verdict = 'pending' AND verdict <> 'accepted' AND id > :after
ORDER BY id LIMIT :limit;

-- name: delivery
SELECT id, job, connection, received_at, method, query, headers, content_type, body, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries WHERE id = :delivery;

-- name: find_deliveries
SELECT id, job, connection, received_at, method, query, headers, content_type, NULL, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries
WHERE id < :before AND (:verdict IS NULL OR verdict = :verdict)
ORDER BY id DESC LIMIT :limit;

-- name: find_deliveries_of_job
SELECT id, job, connection, received_at, method, query, headers, content_type, NULL, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries
WHERE job = :job AND id < :before AND (:verdict IS NULL OR verdict = :verdict)
ORDER BY id DESC LIMIT :limit;

-- name: find_deliveries_of_hook
SELECT id, job, connection, received_at, method, query, headers, content_type, NULL, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries
WHERE hook = :hook AND id < :before AND (:verdict IS NULL OR verdict = :verdict)
ORDER BY id DESC LIMIT :limit;

-- name: find_deliveries_not_accepted
-- For every verdict but `accepted`, which nearly all have.
SELECT id, job, connection, received_at, method, query, headers, content_type, NULL, size,
       remote, verdict, duplicate_of, error, redelivery_of, hook, run
FROM deliveries
WHERE verdict = :verdict AND verdict <> 'accepted' AND id < :before
ORDER BY id DESC LIMIT :limit;

-- ===== schedule ===================================================================

-- name: due
SELECT j.id, r.id, j.status, j.wake_at
FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.connection = :connection AND j.lane = :lane AND j.wake_at <= :now
ORDER BY j.wake_at LIMIT :limit;

-- name: runs_to_submit
-- In the order of their numbers, the runs with jobs to submit, and when the first of those is due. Steps
-- from run to run in the index, so that a run with 100,000 jobs costs as much as one with one.
WITH RECURSIVE found (run, place) AS (
  SELECT (SELECT min(run) FROM jobs WHERE connection = :connection AND run > :after AND run <= :last
          AND lane = 'submit' AND wake_at IS NOT NULL), 1
  UNION ALL
  SELECT (SELECT min(j.run) FROM jobs j WHERE j.connection = :connection AND j.run > found.run AND j.run <= :last
          AND j.lane = 'submit' AND j.wake_at IS NOT NULL), place + 1
  FROM found WHERE found.run IS NOT NULL AND place < :most
)
SELECT run, (SELECT min(j.wake_at) FROM jobs j WHERE j.connection = :connection AND j.run = found.run
             AND j.lane = 'submit' AND j.wake_at IS NOT NULL)
FROM found WHERE run IS NOT NULL;

-- name: runs_to_look_at
-- The same for jobs to look at. The long condition is that of the index `jobs_in_flight`, word for word.
WITH RECURSIVE found (run, place) AS (
  SELECT (SELECT min(run) FROM jobs WHERE connection = :connection AND lane = 'look' AND run > :after AND run <= :last
          AND (status IN ('submitting', 'waiting', 'collecting', 'uncertain')
               OR (lane = 'look' AND wake_at IS NOT NULL))), 1
  UNION ALL
  SELECT (SELECT min(j.run) FROM jobs j
          WHERE j.connection = :connection AND j.lane = 'look' AND j.run > found.run AND j.run <= :last
          AND (j.status IN ('submitting', 'waiting', 'collecting', 'uncertain')
               OR (j.lane = 'look' AND j.wake_at IS NOT NULL))), place + 1
  FROM found WHERE found.run IS NOT NULL AND place < :most
)
SELECT run, (SELECT min(j.wake_at) FROM jobs j WHERE j.connection = :connection AND j.lane = 'look' AND j.run = found.run
             AND (j.status IN ('submitting', 'waiting', 'collecting', 'uncertain')
                  OR (j.lane = 'look' AND j.wake_at IS NOT NULL)))
FROM found WHERE run IS NOT NULL;

-- name: jobs_to_submit
-- The due ones of one run, the longest overdue first, but for those of a JSON list.
SELECT j.id, r.id, j.status, j.wake_at
FROM runs r CROSS JOIN jobs j ON j.run = r.n
WHERE r.n = :run AND j.connection = :connection AND j.lane = 'submit' AND j.wake_at IS NOT NULL
  AND j.wake_at <= :now AND j.id NOT IN (SELECT value FROM json_each(:but))
ORDER BY j.wake_at LIMIT :limit;

-- name: jobs_to_look_at
SELECT j.id, r.id, j.status, j.wake_at
FROM runs r CROSS JOIN jobs j ON j.run = r.n
WHERE r.n = :run AND j.connection = :connection AND j.lane = 'look' AND j.wake_at <= :now
  AND (j.status IN ('submitting', 'waiting', 'collecting', 'uncertain') OR (j.lane = 'look' AND j.wake_at IS NOT NULL))
  AND j.id NOT IN (SELECT value FROM json_each(:but))
ORDER BY j.wake_at LIMIT :limit;

-- name: due_runs
SELECT id FROM runs WHERE wake_at <= :now AND finished_at IS NULL ORDER BY wake_at LIMIT :limit;

-- name: due_notices
SELECT id FROM runs WHERE wake_at <= :now AND finished_at IS NOT NULL ORDER BY wake_at LIMIT :limit;

-- name: next_group_in_line
-- Of the resources that runs wait for the next one, with how much of it is left, used and there, where that
-- is known.
SELECT following.name, s.most - s.used, s.used, s.most
FROM (SELECT min(waits_for) AS name FROM runs WHERE waits_for IS NOT NULL AND waits_for > :after) following
LEFT JOIN resources s ON s.name = following.name;

-- name: runs_in_line
SELECT id FROM runs WHERE waits_for IS NOT NULL AND waits_for = :resource ORDER BY id LIMIT :limit;

-- name: resource
SELECT used FROM resources WHERE name = :resource;

-- name: spoken_for
-- What of a budget is used, what of a JSON object of claims is not written down yet, and what is promised to
-- other jobs than :job that have claimed nothing yet; one statement, so that nothing is counted twice.
SELECT coalesce((SELECT used FROM resources WHERE name = :resource), 0)
  + (SELECT coalesce(sum(c.value), 0) FROM json_each(:claimed) c
     WHERE NOT EXISTS (SELECT 1 FROM holds h WHERE h.resource = :resource AND h.holder = c."key"))
  + (SELECT coalesce(-sum(asks), 0) FROM jobs
     WHERE connection = :connection AND asks < 0 AND id <> :job
       AND id NOT IN (SELECT c."key" FROM json_each(:claimed) c));

-- name: cheapest
-- How many credits the cheapest job in line for a connection's budget costs.
SELECT min(asks) FROM jobs WHERE connection = :connection AND asks > 0;

-- name: next_run_in_line
SELECT min(run) FROM jobs WHERE connection = :connection AND run > :after AND run <= :last AND asks > 0;

-- name: first_in_line
-- The job of a run whose turn it is, if what is left is enough for one.
SELECT id, asks FROM jobs WHERE connection = :connection AND run = :run AND asks > 0 AND asks <= :left
ORDER BY asks, id LIMIT 1;

-- name: promise
UPDATE jobs SET asks = -asks, wake_at = :now WHERE id = :job AND asks > 0;

-- name: ask_anew
-- What a budget can never allow: perhaps it costs less now, or there is no budget any more.
UPDATE jobs SET asks = NULL, wake_at = :now WHERE connection = :connection AND asks > :above;

-- name: runs_asleep
-- Runs with jobs that wait for something and will never wake up. There should be none, so the index is empty.
SELECT DISTINCT r.id FROM jobs j INDEXED BY jobs_asleep CROSS JOIN runs r ON r.n = j.run
WHERE j.wake_at IS NULL AND j.status IN ('created', 'waiting', 'collecting', 'uncertain')
LIMIT :limit;

-- name: open_runs
-- By id, each with its version, version and sequence of its last event, and whether it waits for anything:
-- for an open job, or for a place in its group.
SELECT r.id, r.version, e.version, e.seq, r.waits_for IS NOT NULL OR EXISTS (
         SELECT 1 FROM jobs j WHERE j.run = r.n
         AND j.status IN ('created', 'submitting', 'waiting', 'collecting', 'uncertain'))
FROM (
  SELECT id FROM (SELECT id FROM runs WHERE status = 'running' AND id > :after ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT id FROM (SELECT id FROM runs WHERE status = 'pending' AND id > :after ORDER BY id LIMIT :limit)
  ORDER BY id LIMIT :limit
) AS page
CROSS JOIN runs r ON r.id = page.id
LEFT JOIN events e ON e.seq = (SELECT seq FROM events WHERE run = r.n ORDER BY version DESC LIMIT 1)
ORDER BY page.id;

-- name: correct_versions
-- Of a JSON list of runs.
UPDATE runs SET version = (SELECT max(e.version) FROM events e WHERE e.run = runs.n)
WHERE id IN (SELECT value FROM json_each(?));

-- name: next_wake
-- Walks the connections in the index one by one, so that 100,000 waiting jobs cost a few look-ups.
WITH RECURSIVE names (connection) AS (
  SELECT min(connection) FROM jobs WHERE wake_at IS NOT NULL
  UNION ALL
  SELECT (SELECT min(j.connection) FROM jobs j WHERE j.wake_at IS NOT NULL AND j.connection > names.connection)
  FROM names WHERE names.connection IS NOT NULL
)
SELECT min(wake_at) FROM (
  SELECT min(wake_at) AS wake_at FROM runs WHERE wake_at > :after
  UNION ALL
  SELECT (SELECT min(j.wake_at) FROM jobs j
          WHERE j.connection = names.connection AND j.lane = lanes.column1 AND j.wake_at > :after)
  FROM names, (VALUES ('submit'), ('look')) AS lanes WHERE names.connection IS NOT NULL
);

-- name: open_jobs
-- Statuses are a JSON list.
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks
FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.status IN (SELECT value FROM json_each(:statuses)) AND j.id > :after
ORDER BY j.id LIMIT :limit;

-- name: runs_at_providers
-- Runs of which a provider has a task, or may have one, once a job; :core is our own connection.
SELECT r.id FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.status IN ('submitting', 'waiting', 'collecting', 'uncertain') AND j.connection <> :core;

-- name: bound
-- Task ids are a JSON list.
SELECT task_id FROM jobs
WHERE connection = :connection AND task_id IS NOT NULL
  AND task_id IN (SELECT value FROM json_each(:tasks));

-- name: in_flight
-- The condition is that of the index `jobs_in_flight`, word for word, so that the index alone is read.
SELECT connection, count(*) FROM jobs
WHERE status IN ('submitting', 'waiting', 'collecting', 'uncertain')
   OR (lane = 'look' AND wake_at IS NOT NULL)
GROUP BY connection;

-- name: rate_windows
SELECT scope, requests, period, sent, ahead, written_at FROM rate_windows ORDER BY scope, requests, period;

-- name: number
SELECT number FROM numbers WHERE scope = :scope;

-- name: positions
SELECT name, position FROM positions;

-- name: put_positions
INSERT INTO positions (name, position) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET position = excluded.position;

-- name: drop_positions
-- Names are a JSON list.
DELETE FROM positions WHERE name IN (SELECT value FROM json_each(?));

-- ===== connections ================================================================

-- name: connections
SELECT name, paused_by, cause, reason, paused_at, paused_until, credits FROM connections ORDER BY name;

-- ===== views ======================================================================

-- name: run
SELECT id, workflow, digest, status, version, labels, inputs, outputs, error,
       created_at, started_at, finished_at, wake_at, waits_for
FROM runs WHERE id = :run;

-- name: runs
SELECT id, workflow, digest, status, version, labels, inputs, outputs, error,
       created_at, started_at, finished_at, wake_at, waits_for
FROM runs WHERE id < :before
ORDER BY id DESC LIMIT :limit;

-- name: runs_of_status
SELECT id, workflow, digest, status, version, labels, inputs, outputs, error,
       created_at, started_at, finished_at, wake_at, waits_for
FROM runs
WHERE status = :status AND id < :before AND (:workflow IS NULL OR workflow = :workflow)
ORDER BY id DESC LIMIT :limit;

-- name: runs_of_workflow
SELECT id, workflow, digest, status, version, labels, inputs, outputs, error,
       created_at, started_at, finished_at, wake_at, waits_for
FROM runs
WHERE workflow = :workflow AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: runs_of_label
SELECT r.id, r.workflow, r.digest, r.status, r.version, r.labels, r.inputs, r.outputs, r.error,
       r.created_at, r.started_at, r.finished_at, r.wake_at, r.waits_for
FROM labels l CROSS JOIN runs r ON r.n = l.run
WHERE l.name = :label AND l.value = :value AND r.id < :before
  AND (:status IS NULL OR r.status = :status) AND (:workflow IS NULL OR r.workflow = :workflow)
ORDER BY r.id DESC LIMIT :limit;

-- name: job
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks
FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.id = :job;

-- name: jobs
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks
FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.id < :before AND (:connection IS NULL OR j.connection = :connection)
ORDER BY j.id DESC LIMIT :limit;

-- name: jobs_of_run
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks
FROM runs r CROSS JOIN jobs j ON j.run = r.n
WHERE r.id = :run AND j.id < :before
  AND (:status IS NULL OR j.status = :status) AND (:connection IS NULL OR j.connection = :connection)
ORDER BY j.id DESC LIMIT :limit;

-- name: chain
SELECT chain FROM runs WHERE id = :run;

-- name: next_run
SELECT id FROM runs WHERE id > :after ORDER BY id LIMIT 1;

-- name: jobs_of_status
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks
FROM jobs j JOIN runs r ON r.n = j.run
WHERE j.status = :status AND j.id < :before
  AND (:connection IS NULL OR j.connection = :connection)
ORDER BY j.id DESC LIMIT :limit;

-- name: durations
-- Of the latest jobs that succeeded; the limit is on those that are read, so that it costs the same for ever.
SELECT latest.connection, latest.operation, latest.finished_at - latest.submitted_at
FROM (SELECT id, connection, operation, submitted_at, finished_at
      FROM jobs WHERE status = 'succeeded' ORDER BY id DESC LIMIT :limit) latest
WHERE latest.submitted_at IS NOT NULL
  AND (NOT :called_back OR EXISTS (SELECT 1 FROM deliveries d WHERE d.job = latest.id));

-- name: waiting_jobs
-- Of one status, by id, each with the workflow of its run.
SELECT j.id, r.id, j.step, j."index", j.attempt, j.connection, j.operation, j.status, j.task_id, j.lane,
       j.wake_at, j.deadline_at, j.created_at, j.submitted_at, j.finished_at, j.credits, j.error,
       j.reserved, j.asks, r.workflow
FROM jobs j CROSS JOIN runs r ON r.n = j.run
WHERE j.status = :status AND j.id > :after
  AND (:connection IS NULL OR j.connection = :connection) AND (:workflow IS NULL OR r.workflow = :workflow)
ORDER BY j.id LIMIT :limit;

-- name: waiting_runs
SELECT id, workflow, digest, status, version, labels, inputs, outputs, error,
       created_at, started_at, finished_at, wake_at, waits_for
FROM runs
WHERE status = 'pending' AND waits_for IS NOT NULL AND id >= :least
  AND (:workflow IS NULL OR workflow = :workflow)
ORDER BY id LIMIT :limit;

-- name: group_line
SELECT count(*) FROM runs WHERE waits_for IS NOT NULL AND waits_for = :resource;

-- name: budget_line
SELECT count(*) FROM jobs WHERE connection = :connection AND asks > 0;

-- name: run_of_job
SELECT r.id FROM jobs j JOIN runs r ON r.n = j.run WHERE j.id = :job;

-- name: run_of_key
SELECT r.id, k.body_digest FROM idempotency_keys k JOIN runs r ON r.n = k.run WHERE k."key" = :key;
