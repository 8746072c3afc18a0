-- Of a cancelled order, units and value are those of what was shipped before: that stays sold. Orders are also looked for by the
-- client's own word for them.

UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, CAST(sum(shipped) AS bigint) AS units,
             CAST(least(sum(CAST(shipped AS numeric) * price_amount), 9223372036854775807) AS bigint) AS value
      FROM reservation_lines WHERE state = 'cancelled' GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id AND reservations.state = 'cancelled';

CREATE INDEX reservations_reference_idx ON reservations (reference, id);
