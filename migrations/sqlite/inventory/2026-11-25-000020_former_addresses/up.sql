-- The handles and the paths that products and categories had before: their old addresses lead to the new ones. What is taken by
-- another one is no longer here.

CREATE TABLE former_handles (
    handle      TEXT NOT NULL PRIMARY KEY,
    product_id  BLOB NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX former_handles_product_idx ON former_handles (product_id);

CREATE TABLE former_paths (
    path        TEXT NOT NULL PRIMARY KEY,
    category_id BLOB NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX former_paths_category_idx ON former_paths (category_id);
