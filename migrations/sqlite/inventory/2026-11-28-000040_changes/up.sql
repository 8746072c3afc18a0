-- Append-only: who changed a product, a category, a location or an order, and how. Changes of stock are in the ledger.
CREATE TABLE changes (
    -- The id of the product (also for its SKUs), the category, the location or the reservation.
    subject_id BLOB NOT NULL,
    id         BLOB NOT NULL,
    -- As product.updated, category.deleted, reservation.shipped.
    action     TEXT NOT NULL,
    -- What the thing was called then: its handle, path, code or reference.
    subject    TEXT NOT NULL,
    actor      TEXT NOT NULL,
    fields     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (subject_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_id_idx ON changes (id);
