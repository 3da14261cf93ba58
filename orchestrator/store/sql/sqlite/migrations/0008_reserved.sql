-- Credits that each job has or may have cost.

ALTER TABLE jobs ADD COLUMN reserved REAL NOT NULL DEFAULT 0;
