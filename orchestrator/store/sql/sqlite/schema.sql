-- What the database of one server holds, read from top to bottom.
--
-- Times are whole microseconds since the epoch, UTC. A JSON column holds JSON text.
-- Runs have a number beside their id, because 24 events a run carry it: a small
-- integer keeps the log and its indexes at half the size.

-- The definitions that runs were started with, so that a run never depends on today's file.
CREATE TABLE definitions (
  digest TEXT PRIMARY KEY,
  name   TEXT NOT NULL,
  source TEXT NOT NULL
) WITHOUT ROWID;

-- One row per run: what folding its stream gives.
CREATE TABLE runs (
  n           INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  workflow    TEXT NOT NULL,
  digest      TEXT NOT NULL,
  status      TEXT NOT NULL,
  version     INTEGER NOT NULL CHECK (version > 0),
  labels      BLOB NOT NULL,
  inputs      BLOB NOT NULL,
  outputs     BLOB,
  error       BLOB,
  created_at  INTEGER NOT NULL,
  started_at  INTEGER,
  finished_at INTEGER,
  wake_at     INTEGER,
  waits_for   TEXT,
  -- A digest over all its events (store/chain.py); NULL where it was begun by a version that made none.
  chain       BLOB
);
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_workflow ON runs (workflow, id);
CREATE INDEX runs_to_wake ON runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX runs_in_line ON runs (waits_for, id) WHERE waits_for IS NOT NULL;

-- The labels of runs once more, to find runs by them.
CREATE TABLE labels (
  name  TEXT NOT NULL,
  value TEXT NOT NULL,
  run   INTEGER NOT NULL REFERENCES runs (n),
  PRIMARY KEY (name, value, run)
) WITHOUT ROWID;
CREATE INDEX labels_by_run ON labels (run);

-- The names of event types; the log holds their numbers.
CREATE TABLE event_types (
  n    INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- Every account at a provider that something is known about. One that was paused says by whom and
-- until when; one that submits says nothing.
CREATE TABLE connections (
  n            INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  paused_by    TEXT CHECK (paused_by IN ('person', 'system')),
  cause        TEXT,
  reason       TEXT,
  paused_at    INTEGER,
  paused_until INTEGER,
  credits      REAL,
  CHECK ((paused_by IS NULL) = (paused_at IS NULL))
);

-- The log. Append-only: no row is ever changed, and rows are removed only with their whole run, when
-- that is pruned. `seq` is the order of commits; a number is never used twice, because the run of the
-- last event is never pruned.
-- An event is a run's or a connection's. The unique indexes are the last fence between two writers.
CREATE TABLE events (
  seq        INTEGER PRIMARY KEY,
  run        INTEGER REFERENCES runs (n),
  version    INTEGER NOT NULL,
  type       INTEGER NOT NULL REFERENCES event_types (n),
  at         INTEGER NOT NULL,
  subject    TEXT NOT NULL,
  schema     INTEGER NOT NULL,
  data       BLOB NOT NULL,
  connection INTEGER REFERENCES connections (n),
  UNIQUE (run, version),
  CHECK ((run IS NULL) <> (connection IS NULL))
);
CREATE INDEX events_by_type ON events (type);
CREATE UNIQUE INDEX events_of_connections ON events (connection, version) WHERE connection IS NOT NULL;

-- The log as a person wants to read it.
CREATE VIEW event_log AS
  SELECT e.seq, coalesce(r.id, 'connections/' || c.name) AS stream, e.version, t.name AS type,
         strftime('%Y-%m-%dT%H:%M:%fZ', e.at / 1000000.0, 'unixepoch') AS at,
         e.subject, CAST(e.data AS TEXT) AS data
  FROM events e JOIN event_types t ON t.n = e.type
  LEFT JOIN runs r ON r.n = e.run LEFT JOIN connections c ON c.n = e.connection;

-- One row per job: what folding its run's stream gives; only `wake_at` and `asks` may move in between.
-- `asks`: how many credits of its connection's budget it waits for; negative: so many are promised to it,
-- and it is due.
CREATE TABLE jobs (
  id           TEXT PRIMARY KEY,
  run          INTEGER NOT NULL REFERENCES runs (n),
  step         TEXT NOT NULL,
  "index"      INTEGER,
  attempt      INTEGER NOT NULL,
  connection   TEXT NOT NULL,
  operation    TEXT NOT NULL,
  status       TEXT NOT NULL,
  task_id      TEXT,
  lane         TEXT CHECK (lane IN ('submit', 'look')),
  wake_at      INTEGER,
  deadline_at  INTEGER,
  created_at   INTEGER NOT NULL,
  submitted_at INTEGER,
  finished_at  INTEGER,
  credits      REAL,
  error        BLOB,
  reserved     REAL NOT NULL DEFAULT 0,
  asks         REAL,
  CHECK (wake_at IS NULL OR lane IS NOT NULL)
) WITHOUT ROWID;
CREATE INDEX jobs_by_run ON jobs (run);
CREATE INDEX jobs_by_status ON jobs (status);
CREATE INDEX jobs_to_wake ON jobs (connection, lane, wake_at) WHERE wake_at IS NOT NULL;
-- Run by run, because runs take turns. A job that is submitted as soon as it is created never gets in.
CREATE INDEX jobs_to_submit ON jobs (connection, run, wake_at) WHERE lane = 'submit' AND wake_at IS NOT NULL;
-- Its task runs at the provider, or may still run there although the job has ended: it is looked at.
CREATE INDEX jobs_in_flight ON jobs (connection, lane, run, wake_at, status)
  WHERE status IN ('submitting', 'waiting', 'collecting', 'uncertain')
     OR (lane = 'look' AND wake_at IS NOT NULL);
-- An open job that nothing wakes, which should not be.
CREATE INDEX jobs_asleep ON jobs (run)
  WHERE wake_at IS NULL AND status IN ('created', 'waiting', 'collecting', 'uncertain');
-- Those that wait for budget: run by run, because runs take turns, and the cheapest of a connection.
CREATE INDEX jobs_in_line ON jobs (connection, run, asks) WHERE asks > 0;
CREATE INDEX jobs_by_price ON jobs (connection, asks) WHERE asks IS NOT NULL;
-- A provider's task belongs to one job.
CREATE UNIQUE INDEX jobs_by_task ON jobs (connection, task_id) WHERE task_id IS NOT NULL;

-- Every request on a callback URL or a hook, exactly as it came. One on a callback URL concerns a job; one on
-- a hook names its workflow in `hook`, the run that it started in `run`, and neither job nor connection.
CREATE TABLE deliveries (
  n            INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  job          TEXT NOT NULL,
  connection   TEXT NOT NULL,
  received_at  INTEGER NOT NULL,
  method       TEXT NOT NULL,
  query        TEXT NOT NULL,
  headers      BLOB NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB,
  size         INTEGER NOT NULL,
  remote       TEXT NOT NULL,
  verdict      TEXT NOT NULL
               CHECK (verdict IN ('pending', 'accepted', 'duplicate', 'late', 'mismatch', 'unreadable')),
  duplicate_of TEXT,
  error        TEXT,
  -- Which one it repeats, where nobody sent it but a person had it processed once more.
  redelivery_of TEXT,
  hook         TEXT,
  run          TEXT
);
CREATE INDEX deliveries_by_job ON deliveries (job);
CREATE INDEX deliveries_not_accepted ON deliveries (verdict, id) WHERE verdict <> 'accepted';
CREATE INDEX deliveries_by_hook ON deliveries (hook, id) WHERE hook IS NOT NULL;

-- Counters that must never go back, such as Perfect's request numbers.
CREATE TABLE numbers (
  scope  TEXT PRIMARY KEY,
  number INTEGER NOT NULL
) WITHOUT ROWID;

-- What runs share: the credits of a budget, the places of a group. How much of each is in use, and
-- how much of it there is (NULL: nobody has asked for it yet within a limit).
CREATE TABLE resources (
  name TEXT PRIMARY KEY,
  used REAL NOT NULL,
  most REAL
) WITHOUT ROWID;

-- Who has how much of it: jobs and runs, by their ids.
CREATE TABLE holds (
  resource TEXT NOT NULL,
  holder   TEXT NOT NULL,
  amount   REAL NOT NULL,
  PRIMARY KEY (resource, holder)
) WITHOUT ROWID;

-- What was sent within each rate limit: JSON pairs of a time and how many until then. Up to `ahead` more
-- may have been sent since `written_at`. `period` in microseconds.
CREATE TABLE rate_windows (
  scope      TEXT NOT NULL,
  requests   INTEGER NOT NULL,
  period     INTEGER NOT NULL,
  sent       TEXT NOT NULL,
  ahead      INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  PRIMARY KEY (scope, requests, period)
) WITHOUT ROWID;

-- How far each trigger has got that goes by what happens here: a schedule to an instant, in microseconds;
-- one that follows the runs of another workflow to a sequence of the log.
CREATE TABLE positions (
  name     TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;

-- The idempotency keys of `POST /runs`, and those that keep a trigger from starting a run twice.
CREATE TABLE idempotency_keys (
  "key"       TEXT PRIMARY KEY,
  body_digest TEXT NOT NULL,
  run         INTEGER NOT NULL REFERENCES runs (n)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run);

-- When the database was restored from a backup, and whether a server has taken that up: what was open
-- in the backup is made uncertain first of all.
CREATE TABLE epochs (
  n           INTEGER PRIMARY KEY,
  taken_at    INTEGER NOT NULL,
  restored_at INTEGER NOT NULL,
  taken_up_at INTEGER
);

-- One row that is written to find out whether anything can be written.
CREATE TABLE readiness (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  written_at INTEGER NOT NULL
);
