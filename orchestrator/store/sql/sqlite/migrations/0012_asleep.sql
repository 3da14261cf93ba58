-- For the watchdog.

-- An open job that nothing wakes, which should not be.
CREATE INDEX jobs_asleep ON jobs (run)
  WHERE wake_at IS NULL AND status IN ('created', 'waiting', 'collecting', 'uncertain');
