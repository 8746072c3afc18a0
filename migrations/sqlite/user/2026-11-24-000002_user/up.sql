-- The user module; the same tables and columns as on PostgreSQL. Ids are 16-byte BLOBs, times microseconds since 1970 (UTC).

CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    -- Shown and mailed to; the key is in user_emails.
    email         TEXT NOT NULL,
    name          TEXT NOT NULL DEFAULT '',
    phone         TEXT NOT NULL DEFAULT '',
    role          TEXT NOT NULL CHECK (role IN ('customer', 'staff', 'admin')),
    email_verified_at INTEGER,
    disabled_at   INTEGER,
    -- Sessions of an older generation are ended: one update ends them all.
    generation    INTEGER NOT NULL DEFAULT 1,
    -- Lower case of address and name, for the search of the staff.
    search_text   TEXT NOT NULL,
    version       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX users_role_idx ON users (role, id);

CREATE TABLE user_emails (
    email_norm  TEXT PRIMARY KEY,
    user_id     BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE credentials (
    user_id       BLOB PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- Argon2id in PHC form.
    password_hash TEXT NOT NULL,
    changed_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    user_id      BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id           BLOB NOT NULL,
    -- SHA-256 of the token; the token is shown once and never kept.
    token_hash   BLOB NOT NULL,
    generation   INTEGER NOT NULL,
    -- What the device said of itself, for the person's own list.
    user_agent   TEXT NOT NULL DEFAULT '',
    address      TEXT NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    -- To the minute, so that not every request writes.
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT;
CREATE INDEX sessions_token_idx ON sessions (token_hash);
CREATE INDEX sessions_expiry_idx ON sessions (expires_at);

CREATE TABLE addresses (
    user_id     BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id          BLOB NOT NULL,
    name        TEXT NOT NULL,
    company     TEXT NOT NULL DEFAULT '',
    line1       TEXT NOT NULL,
    line2       TEXT NOT NULL DEFAULT '',
    city        TEXT NOT NULL,
    region      TEXT NOT NULL DEFAULT '',
    postal_code TEXT NOT NULL DEFAULT '',
    country     TEXT NOT NULL,
    phone       TEXT NOT NULL DEFAULT '',
    is_default  INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL DEFAULT 1,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT;
CREATE UNIQUE INDEX addresses_one_default ON addresses (user_id) WHERE is_default;

CREATE TABLE one_time_tokens (
    -- Named by the token itself.
    user_id     BLOB NOT NULL,
    -- SHA-256 of the token; the token itself only stands in the mail.
    token_hash  BLOB NOT NULL,
    purpose     TEXT NOT NULL CHECK (purpose IN ('verify', 'reset', 'change_email')),
    -- The address that is proved by using it.
    email       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, token_hash)
) STRICT;
CREATE INDEX one_time_tokens_expiry_idx ON one_time_tokens (expires_at);

CREATE TABLE api_keys (
    id           BLOB PRIMARY KEY,
    name         TEXT NOT NULL,
    token_hash   BLOB NOT NULL,
    -- The token's beginning, so that people can tell their keys apart.
    hint         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_by   BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX api_keys_token_idx ON api_keys (token_hash);

-- Append-only.
CREATE TABLE audit_log (
    -- Whom or what it was done to: user:ID or key:ID.
    subject    TEXT NOT NULL,
    id         BLOB NOT NULL,
    actor      TEXT NOT NULL,
    -- As session.created, user.disabled, api_key.created.
    action     TEXT NOT NULL,
    data       TEXT NOT NULL,
    -- The IP address that it came from; empty for what nobody asked over the network.
    address    TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    PRIMARY KEY (subject, id)
) STRICT;
CREATE INDEX audit_log_id_idx ON audit_log (id);
-- What somebody did to others.
CREATE INDEX audit_log_actor_idx ON audit_log (actor) WHERE actor <> subject;

-- Failed log-ins: by account, by address, and by both. The keys are hashed, so that no address stands here.
CREATE TABLE login_throttle (
    key          BLOB PRIMARY KEY,
    failures     INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX login_throttle_updated_idx ON login_throttle (updated_at);

-- Mails are written with what they tell of and sent afterwards, so that none is lost and nobody waits for them.
CREATE TABLE mails (
    id          BLOB PRIMARY KEY,
    recipient   TEXT NOT NULL,
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    not_before  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_due_idx ON mails (not_before, id);
