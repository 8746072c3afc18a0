-- The user module. Portable to Citus: what belongs to a person is keyed by user_id; e-mail addresses have a table of their own,
-- keyed by the normalised address, so that they are unique in the whole shop. No triggers, no sequences.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    -- Shown and mailed to; the key is in user_emails.
    email         text NOT NULL,
    name          text NOT NULL DEFAULT '',
    phone         text NOT NULL DEFAULT '',
    role          text NOT NULL CHECK (role IN ('customer', 'staff', 'admin')),
    email_verified_at timestamptz,
    disabled_at   timestamptz,
    -- Sessions of an older generation are ended: one update ends them all.
    generation    bigint NOT NULL DEFAULT 1,
    -- Lower case of address and name, for the search of the staff.
    search_text   text COLLATE "C" NOT NULL,
    version       bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX users_role_idx ON users (role, id);

CREATE TABLE user_emails (
    email_norm  text COLLATE "C" PRIMARY KEY,
    user_id     uuid NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE credentials (
    user_id       uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- Argon2id in PHC form.
    password_hash text NOT NULL,
    changed_at    timestamptz NOT NULL
);

CREATE TABLE sessions (
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id           uuid NOT NULL,
    -- SHA-256 of the token; the token is shown once and never kept.
    token_hash   bytea NOT NULL,
    generation   bigint NOT NULL,
    -- What the device said of itself, for the person's own list.
    user_agent   text NOT NULL DEFAULT '',
    address      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    -- To the minute, so that not every request writes.
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX sessions_token_idx ON sessions (token_hash);
CREATE INDEX sessions_expiry_idx ON sessions (expires_at);

CREATE TABLE addresses (
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id          uuid NOT NULL,
    name        text NOT NULL,
    company     text NOT NULL DEFAULT '',
    line1       text NOT NULL,
    line2       text NOT NULL DEFAULT '',
    city        text NOT NULL,
    region      text NOT NULL DEFAULT '',
    postal_code text NOT NULL DEFAULT '',
    country     text NOT NULL,
    phone       text NOT NULL DEFAULT '',
    is_default  boolean NOT NULL DEFAULT false,
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);
CREATE UNIQUE INDEX addresses_one_default ON addresses (user_id) WHERE is_default;

CREATE TABLE one_time_tokens (
    -- Named by the token itself.
    user_id     uuid NOT NULL,
    -- SHA-256 of the token; the token itself only stands in the mail.
    token_hash  bytea NOT NULL,
    purpose     text NOT NULL CHECK (purpose IN ('verify', 'reset', 'change_email')),
    -- The address that is proved by using it.
    email       text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, token_hash)
);
CREATE INDEX one_time_tokens_expiry_idx ON one_time_tokens (expires_at);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    token_hash   bytea NOT NULL,
    -- The token's beginning, so that people can tell their keys apart.
    hint         text NOT NULL,
    scopes       jsonb NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_token_idx ON api_keys (token_hash);

-- Append-only.
CREATE TABLE audit_log (
    -- Whom or what it was done to: user:ID or key:ID.
    subject    text COLLATE "C" NOT NULL,
    id         uuid NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    -- As session.created, user.disabled, api_key.created.
    action     text NOT NULL,
    data       jsonb NOT NULL,
    -- The IP address that it came from; empty for what nobody asked over the network.
    address    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject, id)
);
CREATE INDEX audit_log_id_idx ON audit_log (id);
-- What somebody did to others.
CREATE INDEX audit_log_actor_idx ON audit_log (actor) WHERE actor <> subject;

-- Failed log-ins: by account, by address, and by both. The keys are hashed, so that no address stands here.
CREATE TABLE login_throttle (
    key          bytea PRIMARY KEY,
    failures     bigint NOT NULL,
    blocked_until timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX login_throttle_updated_idx ON login_throttle (updated_at);

-- Mails are written with what they tell of and sent afterwards, so that none is lost and nobody waits for them.
CREATE TABLE mails (
    id          uuid PRIMARY KEY,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    attempts    bigint NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX mails_due_idx ON mails (not_before, id);
