-- Orders of which a part waits to be shipped after another was are found by this; those that were cancelled then, by
-- reservation_lines_cancelled_idx.
CREATE INDEX reservation_lines_begun_idx ON reservation_lines (reservation_id) WHERE state = 'committed' AND shipped > 0;
