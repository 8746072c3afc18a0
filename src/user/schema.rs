//! The module's tables, as diesel knows them.

use crate::db::sql;

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    users (id) {
        id -> sql::Id,
        email -> Text,
        name -> Text,
        phone -> Text,
        role -> Text,
        email_verified_at -> Nullable<sql::Instant>,
        disabled_at -> Nullable<sql::Instant>,
        generation -> BigInt,
        search_text -> Text,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    user_emails (email_norm) {
        email_norm -> Text,
        user_id -> sql::Id,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    credentials (user_id) {
        user_id -> sql::Id,
        password_hash -> Text,
        changed_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    sessions (user_id, id) {
        user_id -> sql::Id,
        id -> sql::Id,
        token_hash -> Binary,
        generation -> BigInt,
        user_agent -> Text,
        address -> Text,
        created_at -> sql::Instant,
        last_seen_at -> sql::Instant,
        expires_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    addresses (user_id, id) {
        user_id -> sql::Id,
        id -> sql::Id,
        name -> Text,
        company -> Text,
        line1 -> Text,
        line2 -> Text,
        city -> Text,
        region -> Text,
        postal_code -> Text,
        country -> Text,
        phone -> Text,
        is_default -> Bool,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    one_time_tokens (user_id, token_hash) {
        user_id -> sql::Id,
        token_hash -> Binary,
        purpose -> Text,
        email -> Text,
        created_at -> sql::Instant,
        expires_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    api_keys (id) {
        id -> sql::Id,
        name -> Text,
        token_hash -> Binary,
        hint -> Text,
        scopes -> sql::Json,
        created_by -> sql::Id,
        created_at -> sql::Instant,
        expires_at -> Nullable<sql::Instant>,
        revoked_at -> Nullable<sql::Instant>,
        last_used_at -> Nullable<sql::Instant>,
        request_key -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    audit_log (subject, id) {
        subject -> Text,
        id -> sql::Id,
        actor -> Text,
        action -> Text,
        data -> sql::Json,
        address -> Text,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    login_throttle (key) {
        key -> Binary,
        failures -> BigInt,
        blocked_until -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    mails (id) {
        id -> sql::Id,
        recipient -> Text,
        subject -> Text,
        body -> Text,
        attempts -> BigInt,
        not_before -> sql::Instant,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    cart_lines (user_id, sku) {
        user_id -> sql::Id,
        sku -> Text,
        quantity -> BigInt,
        position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    deliveries (user_id, order_id) {
        user_id -> sql::Id,
        order_id -> sql::Id,
        name -> Text,
        company -> Text,
        line1 -> Text,
        line2 -> Text,
        city -> Text,
        region -> Text,
        postal_code -> Text,
        country -> Text,
        phone -> Text,
        expires_at -> Nullable<sql::Instant>,
    }
}

diesel::table! {
    signing_keys (name) {
        name -> Text,
        secret -> Binary,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    user_emails,
    credentials,
    sessions,
    addresses,
    one_time_tokens,
    api_keys,
    audit_log,
    login_throttle,
    mails,
    cart_lines,
    deliveries,
    signing_keys
);
