-- Lines keep what was sold, as it was when it was reserved; reservations keep when they became orders, and how large they are.

ALTER TABLE reservation_lines
    -- The product's title, and the SKU's option values and price, when the goods were reserved.
    ADD COLUMN title          text NOT NULL DEFAULT '',
    ADD COLUMN option1        text NOT NULL DEFAULT '',
    ADD COLUMN option2        text NOT NULL DEFAULT '',
    ADD COLUMN option3        text NOT NULL DEFAULT '',
    ADD COLUMN price_amount   bigint NOT NULL DEFAULT 0 CHECK (price_amount >= 0),
    ADD COLUMN price_currency text NOT NULL DEFAULT '';

ALTER TABLE reservations
    -- When the order was placed; NULL: never.
    ADD COLUMN committed_at timestamptz,
    -- Of its lines, which never change: the sums of quantity, and of quantity times price.
    ADD COLUMN units        bigint NOT NULL DEFAULT 0 CHECK (units >= 0),
    ADD COLUMN value        bigint NOT NULL DEFAULT 0 CHECK (value >= 0);

-- What is there was reserved as its SKUs are now, as far as anybody can tell.
UPDATE reservation_lines
SET title = products.title, option1 = skus.option1, option2 = skus.option2, option3 = skus.option3,
    price_amount = skus.price_amount, price_currency = skus.price_currency
FROM skus JOIN products ON products.id = skus.product_id
WHERE skus.product_id = reservation_lines.product_id AND skus.id = reservation_lines.sku_id;

UPDATE reservations
SET units = sold.units, value = sold.value
FROM (SELECT reservation_id, CAST(sum(quantity) AS bigint) AS units,
             CAST(least(sum(CAST(quantity AS numeric) * price_amount), 9223372036854775807) AS bigint) AS value
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
SET response = jsonb_set(response, '{lines}', (
    SELECT coalesce(jsonb_agg(line.value || jsonb_build_object(
               'title', coalesce(products.title, ''),
               'options', coalesce((SELECT jsonb_agg(option.value ORDER BY option.number)
                                    FROM unnest(ARRAY[skus.option1, skus.option2, skus.option3])
                                         WITH ORDINALITY AS option (value, number)
                                    WHERE option.value <> ''), '[]'),
               'unit_price', jsonb_build_object('amount', coalesce(skus.price_amount, 0),
                                                'currency', coalesce(skus.price_currency, ''))
           ) ORDER BY line.number), '[]')
    FROM jsonb_array_elements(response -> 'lines') WITH ORDINALITY AS line (value, number)
    LEFT JOIN skus ON skus.code = line.value ->> 'sku'
    LEFT JOIN products ON products.id = skus.product_id))
WHERE response ? 'expires_max' AND response ? 'lines';

-- Orders, newest first.
CREATE INDEX reservations_ordered_idx ON reservations (id) WHERE committed_at IS NOT NULL;
-- All that counting by days reads.
CREATE INDEX reservations_committed_idx ON reservations (committed_at, state, units, value) WHERE committed_at IS NOT NULL;
