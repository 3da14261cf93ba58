-- What belongs to a run is found by the run, so that runs can be removed.

CREATE INDEX labels_by_run ON labels (run);
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run);
