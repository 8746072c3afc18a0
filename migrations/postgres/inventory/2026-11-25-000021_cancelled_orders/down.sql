DROP INDEX reservations_reference_idx;
DROP INDEX reservation_lines_cancelled_idx;
UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, CAST(sum(quantity) AS bigint) AS units,
             CAST(least(sum(CAST(quantity AS numeric) * price_amount), 9223372036854775807) AS bigint) AS value
      FROM reservation_lines WHERE state = 'cancelled' GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id AND reservations.state = 'cancelled';
