DROP INDEX reservations_committed_idx, reservations_ordered_idx;
ALTER TABLE reservations DROP COLUMN committed_at, DROP COLUMN units, DROP COLUMN value;
ALTER TABLE reservation_lines
    DROP COLUMN title, DROP COLUMN option1, DROP COLUMN option2, DROP COLUMN option3,
    DROP COLUMN price_amount, DROP COLUMN price_currency;
