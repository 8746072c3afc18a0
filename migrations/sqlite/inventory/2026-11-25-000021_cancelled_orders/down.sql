DROP INDEX reservations_reference_idx;
DROP INDEX reservation_lines_cancelled_idx;
UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, sum(quantity) AS units,
             CAST(total(CAST(quantity AS REAL) * price_amount) AS INTEGER) AS value
      FROM reservation_lines WHERE state = 'cancelled' GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id AND reservations.state = 'cancelled';
