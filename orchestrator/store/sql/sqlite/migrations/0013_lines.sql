-- For jobs that wait for their connection's budget.

-- How many credits a job waits for; negative: so many are promised to it, and it is due.
ALTER TABLE jobs ADD COLUMN asks REAL;
CREATE INDEX jobs_in_line ON jobs (connection, run, asks) WHERE asks > 0;
CREATE INDEX jobs_by_price ON jobs (connection, asks) WHERE asks IS NOT NULL;
