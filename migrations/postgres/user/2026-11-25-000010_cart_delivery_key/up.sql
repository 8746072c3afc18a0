-- Carts, where orders go, and the secret of the whole shop.

CREATE TABLE cart_lines (
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A SKU's code, which this module does not look up.
    sku         text COLLATE "C" NOT NULL,
    quantity    bigint NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    -- The order in which the lines were added.
    position    bigint NOT NULL,
    PRIMARY KEY (user_id, sku)
);

CREATE TABLE deliveries (
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A reservation's id, which this module does not look up.
    order_id    uuid NOT NULL,
    name        text NOT NULL,
    company     text NOT NULL,
    line1       text NOT NULL,
    line2       text NOT NULL,
    city        text NOT NULL,
    region      text NOT NULL,
    postal_code text NOT NULL,
    country     text NOT NULL,
    phone       text NOT NULL,
    PRIMARY KEY (user_id, order_id)
);

-- One row, named shop, made when it is first asked for.
CREATE TABLE signing_keys (
    name        text PRIMARY KEY,
    -- 32 random bytes.
    secret      bytea NOT NULL
);
