-- Rate limits outlive the process.

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
