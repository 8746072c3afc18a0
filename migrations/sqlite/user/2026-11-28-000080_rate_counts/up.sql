-- How many requests each client sent in a minute, to all processes together.
CREATE TABLE rate_counts (
    client      TEXT NOT NULL,
    -- Its beginning.
    minute      INTEGER NOT NULL,
    requests    INTEGER NOT NULL CHECK (requests > 0),
    PRIMARY KEY (client, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_counts_minute_idx ON rate_counts (minute);
