-- Lines keep what was sold, as it was when it was reserved; reservations keep when they became orders, and how large they are.

-- The product's title, and the SKU's option values and price, when the goods were reserved.
ALTER TABLE reservation_lines ADD COLUMN title          TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation_lines ADD COLUMN option1        TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation_lines ADD COLUMN option2        TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation_lines ADD COLUMN option3        TEXT NOT NULL DEFAULT '';
ALTER TABLE reservation_lines ADD COLUMN price_amount   INTEGER NOT NULL DEFAULT 0 CHECK (price_amount >= 0);
ALTER TABLE reservation_lines ADD COLUMN price_currency TEXT NOT NULL DEFAULT '';

-- When the order was placed; NULL: never.
ALTER TABLE reservations ADD COLUMN committed_at INTEGER;
-- Of its lines, which never change: the sums of quantity, and of quantity times price.
ALTER TABLE reservations ADD COLUMN units INTEGER NOT NULL DEFAULT 0 CHECK (units >= 0);
ALTER TABLE reservations ADD COLUMN value INTEGER NOT NULL DEFAULT 0 CHECK (value >= 0);

-- What is there was reserved as its SKUs are now, as far as anybody can tell.
UPDATE reservation_lines
SET title = products.title, option1 = skus.option1, option2 = skus.option2, option3 = skus.option3,
    price_amount = skus.price_amount, price_currency = skus.price_currency
FROM skus JOIN products ON products.id = skus.product_id
WHERE skus.product_id = reservation_lines.product_id AND skus.id = reservation_lines.sku_id;

-- As a REAL, which has no overflow; exact up to 2^53, and a cast makes the largest INTEGER of what is beyond.
UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, sum(quantity) AS units,
             CAST(total(CAST(quantity AS REAL) * price_amount) AS INTEGER) AS value
      FROM reservation_lines GROUP BY reservation_id) AS sold
WHERE sold.reservation_id = reservations.id;

UPDATE reservations SET committed_at = updated_at WHERE state IN ('committed', 'shipped', 'cancelled');
UPDATE reservations
SET committed_at = entry.placed_at
FROM (SELECT reservation_id, min(created_at) AS placed_at FROM stock_ledger
      WHERE kind = 'committed' GROUP BY reservation_id) AS entry
WHERE entry.reservation_id = reservations.id AND reservations.committed_at IS NOT NULL;

-- First answers that may yet be asked for again are read as answers of today.
UPDATE idempotency_keys
SET response = json_set(response, '$.lines', json((
    SELECT json_group_array(json_set(line.value,
               '$.title', coalesce(products.title, ''),
               '$.options', json(coalesce((SELECT json_group_array(option.value)
                                           FROM json_each(json_array(skus.option1, skus.option2, skus.option3)) AS option
                                           WHERE option.value <> ''), '[]')),
               '$.unit_price', json_object('amount', coalesce(skus.price_amount, 0),
                                           'currency', coalesce(skus.price_currency, ''))))
    FROM json_each(response, '$.lines') AS line
    LEFT JOIN skus ON skus.code = line.value ->> '$.sku'
    LEFT JOIN products ON products.id = skus.product_id)))
WHERE json_type(response, '$.expires_max') IS NOT NULL AND json_type(response, '$.lines') = 'array';

-- Orders, newest first.
CREATE INDEX reservations_ordered_idx ON reservations (id) WHERE committed_at IS NOT NULL;
-- All that counting by days reads.
CREATE INDEX reservations_committed_idx ON reservations (committed_at, state, units, value) WHERE committed_at IS NOT NULL;
