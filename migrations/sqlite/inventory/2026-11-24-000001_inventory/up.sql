-- The inventory module; the same tables and columns as on PostgreSQL. Ids are 16-byte BLOBs, times microseconds since 1970 (UTC).
-- Tables of short rows whose key is not one id are kept in its order (WITHOUT ROWID): one B-tree less to write and to read.

CREATE TABLE categories (
    id          BLOB PRIMARY KEY,
    parent_id   BLOB REFERENCES categories (id),
    slug        TEXT NOT NULL,
    -- The slugs from the root, joined by '/'. A subtree is a range: path >= 'a/' AND path < 'a0'.
    path        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    position    INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX categories_parent_idx ON categories (parent_id);

CREATE TABLE locations (
    id          BLOB PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    address     TEXT NOT NULL,
    -- Spread reservations take from the lowest number first.
    priority    INTEGER NOT NULL DEFAULT 0,
    active      INTEGER NOT NULL DEFAULT 1,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE products (
    id               BLOB PRIMARY KEY,
    handle           TEXT NOT NULL UNIQUE,
    title            TEXT NOT NULL,
    description_html TEXT NOT NULL DEFAULT '',
    vendor           TEXT NOT NULL DEFAULT '',
    product_type     TEXT NOT NULL DEFAULT '',
    status           TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    category_id      BLOB REFERENCES categories (id),
    options          TEXT NOT NULL,
    attributes       TEXT NOT NULL,
    images           TEXT NOT NULL,
    seo_title        TEXT NOT NULL DEFAULT '',
    seo_description  TEXT NOT NULL DEFAULT '',
    -- Of the product's SKUs, kept with them: lists filter and sort by price without a join. NULL: no SKU yet.
    price_min        INTEGER,
    price_max        INTEGER,
    version          INTEGER NOT NULL DEFAULT 1,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX products_created_idx ON products (status, created_at, id);
CREATE INDEX products_title_idx ON products (status, title, id);
-- Products without a price come last in both directions: these are the words of the queries, and must stay so.
CREATE INDEX products_price_idx ON products (status, coalesce(price_min, 9223372036854775807), id);
CREATE INDEX products_price_desc_idx ON products (status, coalesce(price_min, -1), id);
-- All that counting by facets reads, in the order in which tags and stock are kept.
CREATE INDEX products_facets_idx ON products (status, id, vendor, category_id, price_min, price_max);
CREATE INDEX products_category_idx ON products (category_id);
CREATE INDEX products_vendor_idx ON products (vendor);

CREATE TABLE product_tags (
    product_id  BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    tag         TEXT NOT NULL,
    PRIMARY KEY (product_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX product_tags_tag_idx ON product_tags (tag, product_id);

-- The words of a product, cut and stemmed by the app so that both databases find the same products. The index keeps no text of its
-- own ('contentless'): a row there belongs to the product that has its rowid as `seq` here.
CREATE TABLE product_words (
    seq         INTEGER PRIMARY KEY,
    product_id  BLOB NOT NULL UNIQUE REFERENCES products (id)
) STRICT;
CREATE VIRTUAL TABLE product_index USING fts5 (
    title, facts, body, content = '', contentless_delete = 1, tokenize = 'ascii'
);
-- Bytes of new words that a transaction gathers in memory before it writes them: imports are a third quicker than with 1 MiB.
INSERT INTO product_index (product_index, rank) VALUES ('hashsize', 16777216);

CREATE TABLE skus (
    product_id          BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    id                  BLOB NOT NULL,
    code                TEXT NOT NULL UNIQUE,
    option1             TEXT NOT NULL DEFAULT '',
    option2             TEXT NOT NULL DEFAULT '',
    option3             TEXT NOT NULL DEFAULT '',
    position            INTEGER NOT NULL,
    price_amount        INTEGER NOT NULL CHECK (price_amount >= 0),
    price_currency      TEXT NOT NULL,
    compare_at_amount   INTEGER CHECK (compare_at_amount >= 0),
    barcode             TEXT NOT NULL DEFAULT '',
    weight_grams        INTEGER NOT NULL DEFAULT 0 CHECK (weight_grams >= 0),
    requires_shipping   INTEGER NOT NULL DEFAULT 1,
    taxable             INTEGER NOT NULL DEFAULT 1,
    image_url           TEXT NOT NULL DEFAULT '',
    -- Units that may be promised beyond the stock of a location; 0: none.
    backorder_limit     INTEGER NOT NULL DEFAULT 0 CHECK (backorder_limit >= 0),
    -- An event tells when what is available falls to this or below; NULL: never.
    low_stock_threshold INTEGER CHECK (low_stock_threshold >= 0),
    version             INTEGER NOT NULL DEFAULT 1,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    PRIMARY KEY (product_id, id),
    UNIQUE (product_id, option1, option2, option3)
) STRICT, WITHOUT ROWID;

CREATE TABLE stock (
    product_id  BLOB NOT NULL,
    sku_id      BLOB NOT NULL,
    location_id BLOB NOT NULL REFERENCES locations (id),
    on_hand     INTEGER NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved    INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    allocated   INTEGER NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    safety      INTEGER NOT NULL DEFAULT 0 CHECK (safety >= 0),
    incoming    INTEGER NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    -- The SKU's backorder_limit, kept here so that the rule below stands in the database.
    backorder   INTEGER NOT NULL DEFAULT 0 CHECK (backorder >= 0),
    -- Counts the changes: the seq of the newest ledger row.
    version     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (product_id, sku_id, location_id),
    FOREIGN KEY (product_id, sku_id) REFERENCES skus (product_id, id),
    CONSTRAINT stock_promised CHECK (reserved + allocated <= on_hand + backorder)
) STRICT, WITHOUT ROWID;

-- Append-only. Every change of a counter is one row; the counters are its sums.
CREATE TABLE stock_ledger (
    product_id      BLOB NOT NULL,
    sku_id          BLOB NOT NULL,
    location_id     BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    kind            TEXT NOT NULL,
    on_hand_delta   INTEGER NOT NULL DEFAULT 0,
    reserved_delta  INTEGER NOT NULL DEFAULT 0,
    allocated_delta INTEGER NOT NULL DEFAULT 0,
    safety_delta    INTEGER NOT NULL DEFAULT 0,
    incoming_delta  INTEGER NOT NULL DEFAULT 0,
    on_hand_after   INTEGER NOT NULL,
    reserved_after  INTEGER NOT NULL,
    allocated_after INTEGER NOT NULL,
    safety_after    INTEGER NOT NULL,
    incoming_after  INTEGER NOT NULL,
    reason          TEXT NOT NULL DEFAULT '',
    actor           TEXT NOT NULL,
    reservation_id  BLOB,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (product_id, sku_id, location_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX stock_ledger_time_idx ON stock_ledger (product_id, sku_id, created_at, location_id, seq);

CREATE TABLE reservations (
    id          BLOB PRIMARY KEY,
    holder      TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('held', 'committed', 'shipped', 'released', 'expired', 'cancelled')),
    reference   TEXT NOT NULL DEFAULT '',
    -- The products of its lines: the keys under which the lines are found.
    product_ids TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    -- No extension goes beyond.
    expires_max INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX reservations_due_idx ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX reservations_holder_idx ON reservations (holder, id);
CREATE INDEX reservations_state_idx ON reservations (state, id);

CREATE TABLE reservation_lines (
    product_id     BLOB NOT NULL,
    reservation_id BLOB NOT NULL,
    sku_id         BLOB NOT NULL,
    location_id    BLOB NOT NULL,
    quantity       INTEGER NOT NULL CHECK (quantity > 0),
    shipped        INTEGER NOT NULL DEFAULT 0 CHECK (shipped >= 0 AND shipped <= quantity),
    -- The reservation's holder, state and expires_at, kept here so that what an expired hold gives back is found by product.
    holder         TEXT NOT NULL,
    state          TEXT NOT NULL,
    expires_at     INTEGER NOT NULL,
    PRIMARY KEY (product_id, reservation_id, sku_id, location_id),
    FOREIGN KEY (product_id, sku_id, location_id) REFERENCES stock (product_id, sku_id, location_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_lines_reservation_idx ON reservation_lines (reservation_id);
CREATE INDEX reservation_lines_due_idx ON reservation_lines (sku_id, location_id, expires_at) WHERE state = 'held';
CREATE INDEX reservation_lines_holder_idx ON reservation_lines (holder, expires_at) WHERE state = 'held';

-- A row to lock, so that the cap on what one holder holds is exact under concurrency.
CREATE TABLE holders (
    holder      TEXT PRIMARY KEY,
    touched_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holders_touched_idx ON holders (touched_at);

CREATE TABLE idempotency_keys (
    owner        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    response     TEXT,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT;
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

CREATE TABLE outbox (
    aggregate_id BLOB NOT NULL,
    id           BLOB NOT NULL,
    type         TEXT NOT NULL,
    data         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    -- Given in one order after the commit, so that a reader who asks for what comes after N never misses a late commit.
    position     INTEGER,
    PRIMARY KEY (aggregate_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX outbox_position_idx ON outbox (position, aggregate_id, id);
CREATE INDEX outbox_unplaced_idx ON outbox (id) WHERE position IS NULL;

CREATE TABLE outbox_head (
    name        TEXT PRIMARY KEY,
    position    INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_head (name, position) VALUES ('events', 0);

CREATE TABLE jobs (
    id          BLOB PRIMARY KEY,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    actor       TEXT NOT NULL,
    params      TEXT NOT NULL,
    total       INTEGER,
    done        INTEGER NOT NULL DEFAULT 0,
    -- Things of the file that are done: a job that is taken up again goes on behind them.
    items       INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    result      TEXT NOT NULL,
    message     TEXT NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    -- A running job renews it, an upload with each piece; one whose time has passed is taken up again, or given up.
    alive_until INTEGER,
    finished_at INTEGER
) STRICT;
CREATE INDEX jobs_state_idx ON jobs (state, id);

CREATE TABLE job_errors (
    job_id      BLOB NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    column_name TEXT NOT NULL DEFAULT '',
    message     TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT;

CREATE TABLE job_inputs (
    job_id      BLOB NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq         INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT;
