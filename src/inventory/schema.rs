//! The module's tables, as diesel knows them. `product_words` is not here: its two forms differ, and only search knows them.

use crate::db::sql;

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    categories (id) {
        id -> sql::Id,
        parent_id -> Nullable<sql::Id>,
        slug -> Text,
        path -> Text,
        name -> Text,
        position -> BigInt,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    locations (id) {
        id -> sql::Id,
        code -> Text,
        name -> Text,
        address -> sql::Json,
        priority -> BigInt,
        active -> Bool,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    products (id) {
        id -> sql::Id,
        handle -> Text,
        title -> Text,
        description_html -> Text,
        vendor -> Text,
        product_type -> Text,
        status -> Text,
        category_id -> Nullable<sql::Id>,
        options -> sql::Json,
        attributes -> sql::Json,
        images -> sql::Json,
        seo_title -> Text,
        seo_description -> Text,
        price_min -> Nullable<BigInt>,
        price_max -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    product_tags (product_id, tag) {
        product_id -> sql::Id,
        tag -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    skus (product_id, id) {
        product_id -> sql::Id,
        id -> sql::Id,
        code -> Text,
        option1 -> Text,
        option2 -> Text,
        option3 -> Text,
        position -> BigInt,
        price_amount -> BigInt,
        price_currency -> Text,
        compare_at_amount -> Nullable<BigInt>,
        barcode -> Text,
        weight_grams -> BigInt,
        requires_shipping -> Bool,
        taxable -> Bool,
        image_url -> Text,
        backorder_limit -> BigInt,
        low_stock_threshold -> Nullable<BigInt>,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    stock (product_id, sku_id, location_id) {
        product_id -> sql::Id,
        sku_id -> sql::Id,
        location_id -> sql::Id,
        on_hand -> BigInt,
        reserved -> BigInt,
        allocated -> BigInt,
        safety -> BigInt,
        incoming -> BigInt,
        backorder -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    stock_ledger (product_id, sku_id, location_id, seq) {
        product_id -> sql::Id,
        sku_id -> sql::Id,
        location_id -> sql::Id,
        seq -> BigInt,
        kind -> Text,
        on_hand_delta -> BigInt,
        reserved_delta -> BigInt,
        allocated_delta -> BigInt,
        safety_delta -> BigInt,
        incoming_delta -> BigInt,
        on_hand_after -> BigInt,
        reserved_after -> BigInt,
        allocated_after -> BigInt,
        safety_after -> BigInt,
        incoming_after -> BigInt,
        reason -> Text,
        actor -> Text,
        reservation_id -> Nullable<sql::Id>,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    reservations (id) {
        id -> sql::Id,
        holder -> Text,
        state -> Text,
        reference -> Text,
        product_ids -> sql::Json,
        expires_at -> sql::Instant,
        expires_max -> sql::Instant,
        committed_at -> Nullable<sql::Instant>,
        units -> BigInt,
        value -> BigInt,
        version -> BigInt,
        created_at -> sql::Instant,
        updated_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    reservation_lines (product_id, reservation_id, sku_id, location_id) {
        product_id -> sql::Id,
        reservation_id -> sql::Id,
        sku_id -> sql::Id,
        location_id -> sql::Id,
        quantity -> BigInt,
        shipped -> BigInt,
        title -> Text,
        option1 -> Text,
        option2 -> Text,
        option3 -> Text,
        price_amount -> BigInt,
        price_currency -> Text,
        holder -> Text,
        state -> Text,
        expires_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    holders (holder) {
        holder -> Text,
        touched_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    idempotency_keys (owner, key) {
        owner -> Text,
        key -> Text,
        request_hash -> Binary,
        response -> Nullable<sql::Json>,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    outbox (aggregate_id, id) {
        aggregate_id -> sql::Id,
        id -> sql::Id,
        #[sql_name = "type"]
        kind -> Text,
        data -> sql::Json,
        created_at -> sql::Instant,
        position -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    outbox_head (name) {
        name -> Text,
        position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    jobs (id) {
        id -> sql::Id,
        kind -> Text,
        state -> Text,
        actor -> Text,
        params -> sql::Json,
        total -> Nullable<BigInt>,
        done -> BigInt,
        items -> BigInt,
        failed -> BigInt,
        result -> sql::Json,
        message -> Text,
        created_at -> sql::Instant,
        started_at -> Nullable<sql::Instant>,
        alive_until -> Nullable<sql::Instant>,
        finished_at -> Nullable<sql::Instant>,
        fault -> Nullable<sql::Json>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    job_errors (job_id, seq) {
        job_id -> sql::Id,
        seq -> BigInt,
        line -> BigInt,
        column_name -> Text,
        message -> Text,
        code -> Text,
        arguments -> sql::Json,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    job_inputs (job_id, seq) {
        job_id -> sql::Id,
        seq -> BigInt,
        bytes -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    changes (subject_id, id) {
        subject_id -> sql::Id,
        id -> sql::Id,
        action -> Text,
        subject -> Text,
        actor -> Text,
        fields -> sql::Json,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    former_handles (handle) {
        handle -> Text,
        product_id -> sql::Id,
        created_at -> sql::Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql;

    former_paths (path) {
        path -> Text,
        category_id -> sql::Id,
        created_at -> sql::Instant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    categories,
    locations,
    products,
    product_tags,
    skus,
    stock,
    stock_ledger,
    reservations,
    reservation_lines,
    holders,
    idempotency_keys,
    outbox,
    outbox_head,
    jobs,
    job_errors,
    job_inputs,
    changes,
    former_handles,
    former_paths
);
