-- The inventory module. Portable to Citus: the catalogue is reference data; everything that a sale touches is keyed by
-- product_id, so the key is part of every primary and unique key. No triggers, no sequences; ids and times come from the app.

CREATE TABLE categories (
    id          uuid PRIMARY KEY,
    parent_id   uuid REFERENCES categories (id),
    slug        text NOT NULL,
    -- The slugs from the root, joined by '/'. "C" makes a subtree a range: path >= 'a/' AND path < 'a0'.
    path        text COLLATE "C" NOT NULL UNIQUE,
    name        text NOT NULL,
    position    bigint NOT NULL DEFAULT 0,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX categories_parent_idx ON categories (parent_id);

CREATE TABLE locations (
    id          uuid PRIMARY KEY,
    code        text COLLATE "C" NOT NULL UNIQUE,
    name        text NOT NULL,
    address     jsonb NOT NULL,
    -- Spread reservations take from the lowest number first.
    priority    bigint NOT NULL DEFAULT 0,
    active      boolean NOT NULL DEFAULT true,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE products (
    id               uuid PRIMARY KEY,
    handle           text COLLATE "C" NOT NULL UNIQUE,
    title            text COLLATE "C" NOT NULL,
    description_html text NOT NULL DEFAULT '',
    vendor           text COLLATE "C" NOT NULL DEFAULT '',
    product_type     text COLLATE "C" NOT NULL DEFAULT '',
    status           text NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    category_id      uuid REFERENCES categories (id),
    options          jsonb NOT NULL,
    attributes       jsonb NOT NULL,
    images           jsonb NOT NULL,
    seo_title        text NOT NULL DEFAULT '',
    seo_description  text NOT NULL DEFAULT '',
    -- Of the product's SKUs, kept with them: lists filter and sort by price without a join. NULL: no SKU yet.
    price_min        bigint,
    price_max        bigint,
    version          bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
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
    product_id  uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    tag         text COLLATE "C" NOT NULL,
    PRIMARY KEY (product_id, tag)
);
CREATE INDEX product_tags_tag_idx ON product_tags (tag, product_id);

-- The words of a product, cut and stemmed by the app so that both databases find the same products.
CREATE TABLE product_words (
    product_id  uuid PRIMARY KEY REFERENCES products (id) ON DELETE CASCADE,
    words       tsvector NOT NULL
);
-- New words are gathered up to 16 MiB (as KiB here) before they are sorted in: imports are a third quicker than with 4 MiB.
CREATE INDEX product_words_idx ON product_words USING gin (words) WITH (gin_pending_list_limit = 16384);

CREATE TABLE skus (
    product_id          uuid NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    id                  uuid NOT NULL,
    code                text COLLATE "C" NOT NULL UNIQUE,
    option1             text NOT NULL DEFAULT '',
    option2             text NOT NULL DEFAULT '',
    option3             text NOT NULL DEFAULT '',
    position            bigint NOT NULL,
    price_amount        bigint NOT NULL CHECK (price_amount >= 0),
    price_currency      text NOT NULL,
    compare_at_amount   bigint CHECK (compare_at_amount >= 0),
    barcode             text NOT NULL DEFAULT '',
    weight_grams        bigint NOT NULL DEFAULT 0 CHECK (weight_grams >= 0),
    requires_shipping   boolean NOT NULL DEFAULT true,
    taxable             boolean NOT NULL DEFAULT true,
    image_url           text NOT NULL DEFAULT '',
    -- Units that may be promised beyond the stock of a location; 0: none.
    backorder_limit     bigint NOT NULL DEFAULT 0 CHECK (backorder_limit >= 0),
    -- An event tells when what is available falls to this or below; NULL: never.
    low_stock_threshold bigint CHECK (low_stock_threshold >= 0),
    version             bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (product_id, id),
    UNIQUE (product_id, option1, option2, option3)
);

CREATE TABLE stock (
    product_id  uuid NOT NULL,
    sku_id      uuid NOT NULL,
    location_id uuid NOT NULL REFERENCES locations (id),
    on_hand     bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    allocated   bigint NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    safety      bigint NOT NULL DEFAULT 0 CHECK (safety >= 0),
    incoming    bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    -- The SKU's backorder_limit, kept here so that the rule below stands in the database.
    backorder   bigint NOT NULL DEFAULT 0 CHECK (backorder >= 0),
    -- Counts the changes: the seq of the newest ledger row.
    version     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (product_id, sku_id, location_id),
    FOREIGN KEY (product_id, sku_id) REFERENCES skus (product_id, id),
    CONSTRAINT stock_promised CHECK (reserved + allocated <= on_hand + backorder)
);

-- Append-only. Every change of a counter is one row; the counters are its sums.
CREATE TABLE stock_ledger (
    product_id      uuid NOT NULL,
    sku_id          uuid NOT NULL,
    location_id     uuid NOT NULL,
    seq             bigint NOT NULL,
    kind            text NOT NULL,
    on_hand_delta   bigint NOT NULL DEFAULT 0,
    reserved_delta  bigint NOT NULL DEFAULT 0,
    allocated_delta bigint NOT NULL DEFAULT 0,
    safety_delta    bigint NOT NULL DEFAULT 0,
    incoming_delta  bigint NOT NULL DEFAULT 0,
    on_hand_after   bigint NOT NULL,
    reserved_after  bigint NOT NULL,
    allocated_after bigint NOT NULL,
    safety_after    bigint NOT NULL,
    incoming_after  bigint NOT NULL,
    reason          text NOT NULL DEFAULT '',
    actor           text NOT NULL,
    reservation_id  uuid,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (product_id, sku_id, location_id, seq)
);
CREATE INDEX stock_ledger_time_idx ON stock_ledger (product_id, sku_id, created_at, location_id, seq);

CREATE TABLE reservations (
    id          uuid PRIMARY KEY,
    holder      text COLLATE "C" NOT NULL,
    state       text NOT NULL CHECK (state IN ('held', 'committed', 'shipped', 'released', 'expired', 'cancelled')),
    reference   text NOT NULL DEFAULT '',
    -- The products of its lines: the keys under which the lines are found.
    product_ids jsonb NOT NULL,
    expires_at  timestamptz NOT NULL,
    -- No extension goes beyond.
    expires_max timestamptz NOT NULL,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX reservations_due_idx ON reservations (expires_at) WHERE state = 'held';
CREATE INDEX reservations_holder_idx ON reservations (holder, id);
CREATE INDEX reservations_state_idx ON reservations (state, id);

CREATE TABLE reservation_lines (
    product_id     uuid NOT NULL,
    reservation_id uuid NOT NULL,
    sku_id         uuid NOT NULL,
    location_id    uuid NOT NULL,
    quantity       bigint NOT NULL CHECK (quantity > 0),
    shipped        bigint NOT NULL DEFAULT 0 CHECK (shipped >= 0 AND shipped <= quantity),
    -- The reservation's holder, state and expires_at, kept here so that what an expired hold gives back is found by product.
    holder         text COLLATE "C" NOT NULL,
    state          text NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (product_id, reservation_id, sku_id, location_id),
    FOREIGN KEY (product_id, sku_id, location_id) REFERENCES stock (product_id, sku_id, location_id)
);
CREATE INDEX reservation_lines_reservation_idx ON reservation_lines (reservation_id);
CREATE INDEX reservation_lines_due_idx ON reservation_lines (sku_id, location_id, expires_at) WHERE state = 'held';
CREATE INDEX reservation_lines_holder_idx ON reservation_lines (holder, expires_at) WHERE state = 'held';

-- A row to lock, so that the cap on what one holder holds is exact under concurrency.
CREATE TABLE holders (
    holder      text COLLATE "C" PRIMARY KEY,
    touched_at  timestamptz NOT NULL
);
CREATE INDEX holders_touched_idx ON holders (touched_at);

CREATE TABLE idempotency_keys (
    owner        text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    response     jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

CREATE TABLE outbox (
    aggregate_id uuid NOT NULL,
    id           uuid NOT NULL,
    type         text NOT NULL,
    data         jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    -- Given in one order after the commit, so that a reader who asks for what comes after N never misses a late commit.
    position     bigint,
    PRIMARY KEY (aggregate_id, id)
);
CREATE UNIQUE INDEX outbox_position_idx ON outbox (position, aggregate_id, id);
CREATE INDEX outbox_unplaced_idx ON outbox (id) WHERE position IS NULL;

CREATE TABLE outbox_head (
    name        text PRIMARY KEY,
    position    bigint NOT NULL
);
INSERT INTO outbox_head (name, position) VALUES ('events', 0);

CREATE TABLE jobs (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    actor       text NOT NULL,
    params      jsonb NOT NULL,
    total       bigint,
    done        bigint NOT NULL DEFAULT 0,
    -- Things of the file that are done: a job that is taken up again goes on behind them.
    items       bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    result      jsonb NOT NULL,
    message     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    started_at  timestamptz,
    -- A running job renews it, an upload with each piece; one whose time has passed is taken up again, or given up.
    alive_until timestamptz,
    finished_at timestamptz
);
CREATE INDEX jobs_state_idx ON jobs (state, id);

CREATE TABLE job_errors (
    job_id      uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq         bigint NOT NULL,
    line        bigint NOT NULL,
    column_name text NOT NULL DEFAULT '',
    message     text NOT NULL,
    PRIMARY KEY (job_id, seq)
);

CREATE TABLE job_inputs (
    job_id      uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq         bigint NOT NULL,
    bytes       bytea NOT NULL,
    PRIMARY KEY (job_id, seq)
);
