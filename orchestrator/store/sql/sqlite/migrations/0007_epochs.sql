-- When the database was restored from a backup, and whether a server has taken that up.

CREATE TABLE epochs (
  n           INTEGER PRIMARY KEY,
  taken_at    INTEGER NOT NULL,
  restored_at INTEGER NOT NULL,
  taken_up_at INTEGER
);
