-- Of a cancelled order, units and value are those of what was shipped before: that stays sold. Orders are also looked for by the
-- client's own word for them.

-- As a REAL, which has no overflow; exact up to 2^53, and a cast makes the largest INTEGER of what is beyond.
UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, sum(shipped) AS units,
             CAST(total(CAST(shipped AS REAL) * price_amount) AS INTEGER) AS value
      FROM reservation_lines WHERE state = 'cancelled' GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id AND reservations.state = 'cancelled';

-- Processes of the version before, while they run on, cancel orders and leave these sums as they are: so of which cancelled orders
-- something was shipped is found by this, too.
CREATE INDEX reservation_lines_cancelled_idx ON reservation_lines (reservation_id) WHERE state = 'cancelled' AND shipped > 0;
CREATE INDEX reservations_reference_idx ON reservations (reference, id);
