-- Of a cancelled order, units and value are those of what was shipped before: that stays sold. Orders are also looked for by the
-- client's own word for them.

-- As a REAL, which has no overflow; exact up to 2^53, and a cast makes the largest INTEGER of what is beyond.
UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, sum(shipped) AS units,
             CAST(total(CAST(shipped AS REAL) * price_amount) AS INTEGER) AS value
      FROM reservation_lines WHERE state = 'cancelled' GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id AND reservations.state = 'cancelled';

CREATE INDEX reservations_reference_idx ON reservations (reference, id);
