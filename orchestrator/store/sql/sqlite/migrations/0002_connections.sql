-- Pauses and balances of connections, and their part of the log.
--
-- An event could only belong to a run so far. A column cannot be allowed to be empty afterwards,
-- so the table is made anew and the log copied into it.

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

DROP VIEW event_log;
ALTER TABLE events RENAME TO events_of_runs;

-- The log. Append-only: no row is ever changed or removed. `seq` is the order of commits.
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

INSERT INTO events (seq, run, version, type, at, subject, schema, data)
  SELECT seq, run, version, type, at, subject, schema, data FROM events_of_runs ORDER BY seq;
DROP TABLE events_of_runs;

CREATE INDEX events_by_type ON events (type);
CREATE UNIQUE INDEX events_of_connections ON events (connection, version) WHERE connection IS NOT NULL;

-- The log as a person wants to read it.
CREATE VIEW event_log AS
  SELECT e.seq, coalesce(r.id, 'connections/' || c.name) AS stream, e.version, t.name AS type,
         strftime('%Y-%m-%dT%H:%M:%fZ', e.at / 1000000.0, 'unixepoch') AS at,
         e.subject, CAST(e.data AS TEXT) AS data
  FROM events e JOIN event_types t ON t.n = e.type
  LEFT JOIN runs r ON r.n = e.run LEFT JOIN connections c ON c.n = e.connection;
