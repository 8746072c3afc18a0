-- How many requests each client sent in a minute, to all processes together. Losing it costs nothing but a minute's memory.
CREATE UNLOGGED TABLE rate_counts (
    client      text COLLATE "C" NOT NULL,
    -- Its beginning.
    minute      timestamptz NOT NULL,
    requests    bigint NOT NULL CHECK (requests > 0),
    PRIMARY KEY (client, minute)
);
CREATE INDEX rate_counts_minute_idx ON rate_counts (minute);
