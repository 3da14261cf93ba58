-- What runs share, who has how much of it, and which runs wait for some of it.

ALTER TABLE runs ADD COLUMN waits_for TEXT;
CREATE INDEX runs_in_line ON runs (waits_for, id) WHERE waits_for IS NOT NULL;

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
