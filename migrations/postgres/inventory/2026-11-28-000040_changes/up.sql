-- Append-only: who changed a product, a category, a location or an order, and how. Changes of stock are in the ledger.
CREATE TABLE changes (
    -- The id of the product (also for its SKUs), the category, the location or the reservation.
    subject_id uuid NOT NULL,
    id         uuid NOT NULL,
    -- As product.updated, category.deleted, reservation.shipped.
    action     text NOT NULL,
    -- What the thing was called then: its handle, path, code or reference.
    subject    text NOT NULL,
    actor      text NOT NULL,
    fields     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, id)
);
CREATE INDEX changes_id_idx ON changes (id);
