DROP INDEX deliveries_expiry_idx;
ALTER TABLE deliveries RENAME TO deliveries_before;
CREATE TABLE deliveries (
    user_id     BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A reservation's id, which this module does not look up.
    order_id    BLOB NOT NULL,
    name        TEXT NOT NULL,
    company     TEXT NOT NULL,
    line1       TEXT NOT NULL,
    line2       TEXT NOT NULL,
    city        TEXT NOT NULL,
    region      TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    country     TEXT NOT NULL,
    phone       TEXT NOT NULL,
    PRIMARY KEY (user_id, order_id)
) STRICT;
INSERT INTO deliveries (user_id, order_id, name, company, line1, line2, city, region, postal_code, country, phone)
SELECT user_id, order_id, name, company, line1, line2, city, region, postal_code, country, phone
FROM deliveries_before WHERE user_id IN (SELECT id FROM users);
DROP TABLE deliveries_before;
