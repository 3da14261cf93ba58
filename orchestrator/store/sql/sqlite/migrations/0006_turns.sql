-- Runs take turns: what is due can be found run by run.

-- A job that is submitted as soon as it is created never gets in.
CREATE INDEX jobs_to_submit ON jobs (connection, run, wake_at) WHERE lane = 'submit' AND wake_at IS NOT NULL;

DROP INDEX jobs_in_flight;
-- Its task runs at the provider, or may still run there although the job has ended: it is looked at.
CREATE INDEX jobs_in_flight ON jobs (connection, lane, run, wake_at, status)
  WHERE status IN ('submitting', 'waiting', 'collecting', 'uncertain')
     OR (lane = 'look' AND wake_at IS NOT NULL);
