-- Carts, where orders go, and the secret of the whole shop.

CREATE TABLE cart_lines (
    user_id     BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A SKU's code, which this module does not look up.
    sku         TEXT NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    -- The order in which the lines were added.
    position    INTEGER NOT NULL,
    PRIMARY KEY (user_id, sku)
) STRICT;

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

-- One row, named shop, made when it is first asked for.
CREATE TABLE signing_keys (
    name        TEXT PRIMARY KEY,
    -- 32 random bytes.
    secret      BLOB NOT NULL
) STRICT;
