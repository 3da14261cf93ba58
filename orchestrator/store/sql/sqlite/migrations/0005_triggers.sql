-- What starts runs besides people: requests on hooks, and how far schedules and followers have got.

ALTER TABLE deliveries ADD COLUMN hook TEXT;
ALTER TABLE deliveries ADD COLUMN run TEXT;
CREATE INDEX deliveries_by_hook ON deliveries (hook, id) WHERE hook IS NOT NULL;

-- How far each trigger has got that goes by what happens here: a schedule to an instant, in microseconds;
-- one that follows the runs of another workflow to a sequence of the log.
CREATE TABLE positions (
  name     TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;
