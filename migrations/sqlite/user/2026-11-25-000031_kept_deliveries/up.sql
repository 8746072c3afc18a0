-- Where an order went is kept when its owner's account goes: a shop must be able to tell where it sent what it sold. Whether there is
-- an order the inventory alone knows, so of what is there it is asked at once.

ALTER TABLE deliveries RENAME TO deliveries_before;
CREATE TABLE deliveries (
    user_id     BLOB NOT NULL,
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
    -- When it is looked at whether there is an order; NULL: there is one. What says nothing of it, as what is here and what processes
    -- of the version before write while they run on, is asked at once.
    expires_at  INTEGER DEFAULT 0,
    PRIMARY KEY (user_id, order_id)
) STRICT;
INSERT INTO deliveries (user_id, order_id, name, company, line1, line2, city, region, postal_code, country, phone)
SELECT user_id, order_id, name, company, line1, line2, city, region, postal_code, country, phone
FROM deliveries_before;
DROP TABLE deliveries_before;
CREATE INDEX deliveries_expiry_idx ON deliveries (expires_at) WHERE expires_at IS NOT NULL;
