-- A digest over the events of each run, to find out whether one of them was changed. Runs that were begun
-- before have none.

ALTER TABLE runs ADD COLUMN chain BLOB;
