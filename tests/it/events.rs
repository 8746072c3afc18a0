//! The events feed: complete, in order, for readers that come while others write; and the event of low stock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::sql_types::Text;
use emporium::clock::{Clock, Id, SystemClock};
use emporium::db::{Connection, sql};
use emporium::error::{ErrorCode, Problem};
use emporium::inventory::*;

use crate::seed;
use crate::testapp::{Backend, TestApp, call, on_both};

/// A shop with a SKU of which 3 are few, and which nobody sweeps or tidies.
async fn start(backend: Backend) -> (TestApp, Connection) {
    let app = TestApp::start_with(backend, seed::quiet).await;
    let mut conn = seed::connect(&app);
    seed::sku(&mut conn, "LOW", 0, Some(3));
    seed::location(&mut conn, "EAST");
    (app, conn)
}

async fn adjust(app: &TestApp, delta: i64) {
    let (sku, location, reason) = ("LOW".into(), "EAST".into(), "test".into());
    let rows = vec![Adjustment { sku, location, counter: Counter::OnHand, delta, reason }];
    app.shop.modules.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows }).await.unwrap();
}

async fn feed(app: &TestApp, after: i64, limit: u32) -> Vec<Event> {
    let query = EventQuery { after: Some(after), limit: Some(limit) };
    app.shop.modules.inventory.events(query).await.unwrap()
}

/// Writes an event as the shop does, in whatever transaction the connection is in.
fn insert(conn: &mut Connection, kind: &str, id: Id) {
    diesel::sql_query("INSERT INTO outbox (aggregate_id, id, type, data, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind::<sql::Id, _>(id)
        .bind::<sql::Id, _>(id)
        .bind::<Text, _>(kind)
        .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!({ "n": 1 })))
        .bind::<sql::Instant, _>(SystemClock.now())
        .execute(conn)
        .unwrap();
}

fn new_id() -> Id {
    Id::new(SystemClock.now())
}

on_both! {

async fn low_stock_is_told_once_for_each_time_it_becomes_low(backend: Backend) {
    let (app, _) = start(backend).await;
    for delta in [10, -6, -1, -1, -2, 3, 1, -1, -1] {
        adjust(&app, delta).await;
    }
    // 10, 4, 3 (low), 2, 0, 3, 4, 3 (low again), 2
    let events = feed(&app, 0, 50).await;
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.data["available"].as_i64())).collect();
    assert_eq!(told, [("stock.low", Some(3)), ("stock.low", Some(3))]);
    assert_eq!(events[0].data, serde_json::json!({"sku": "LOW", "location": "EAST", "available": 3, "threshold": 3}));
}

async fn the_feed_goes_on_where_the_reader_stopped(backend: Backend) {
    let (app, mut conn) = start(backend).await;
    assert_eq!(feed(&app, 0, 50).await, vec![]);
    let ids: Vec<Id> = (0..25).map(|_| new_id()).collect();
    for id in &ids {
        insert(&mut conn, "test", *id);
    }
    let mut seen = vec![];
    loop {
        let events = feed(&app, seen.last().map_or(0, |event: &Event| event.position), 10).await;
        if events.is_empty() {
            break;
        }
        assert!(events.len() <= 10);
        seen.extend(events);
    }
    assert_eq!(seen.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    assert!(seen.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(seen[0].data, serde_json::json!({ "n": 1 }));
    // The same question gets the same answer.
    assert_eq!(feed(&app, 0, 10).await, seen[..10]);
    assert_eq!(feed(&app, i64::MAX, 10).await, vec![]);
    for query in [
        EventQuery { after: Some(-1), limit: None },
        EventQuery { after: None, limit: Some(0) },
        EventQuery { after: None, limit: Some(201) },
    ] {
        let error = app.shop.modules.inventory.events(query).await.unwrap_err();
        assert_eq!(Problem::from(error).code, ErrorCode::Validation);
    }
}

async fn a_read_that_finds_nothing_new_writes_nothing(backend: Backend) {
    let (app, mut conn) = start(backend).await;
    insert(&mut conn, "test", new_id());
    assert_eq!(feed(&app, 0, 50).await.len(), 1);
    // The one thing that a shop writes by itself when it starts is written before.
    app.shop.modules.user.signing_key().await.unwrap();
    // Each changes with any write: to the file, to the row.
    let mut mark = || match backend {
        Backend::Sqlite => {
            #[derive(QueryableByName)]
            struct Row {
                #[diesel(sql_type = diesel::sql_types::BigInt)]
                data_version: i64,
            }
            diesel::sql_query("PRAGMA data_version").get_result::<Row>(&mut conn).unwrap().data_version
        }
        Backend::Postgres => seed::number(&mut conn, "SELECT CAST(xmin::text AS BIGINT) FROM outbox_head"),
    };
    let before = mark();
    assert_eq!(feed(&app, 0, 50).await.len(), 1);
    assert_eq!(feed(&app, 1, 50).await.len(), 0);
    assert_eq!(mark(), before);
}

async fn an_event_that_is_committed_late_still_comes(backend: Backend) {
    // SQLite lets one writer in at a time: there, no event can be older than one that was committed before it.
    if backend == Backend::Sqlite {
        return;
    }
    let (app, mut conn) = start(backend).await;
    let (early, late) = (new_id(), new_id());
    seed::execute(&mut conn, "BEGIN");
    insert(&mut conn, "early", early);
    let mut other = seed::connect(&app);
    insert(&mut other, "late", late);
    let first = feed(&app, 0, 50).await;
    assert_eq!(first.iter().map(|event| event.id).collect::<Vec<_>>(), [late]);
    seed::execute(&mut conn, "COMMIT");
    let then = feed(&app, first[0].position, 50).await;
    assert_eq!(then.iter().map(|event| event.id).collect::<Vec<_>>(), [early]);
}

async fn readers_miss_nothing_while_many_write(backend: Backend) {
    let (app, mut conn) = start(backend).await;
    // With six writers that each take one and give it back, it becomes low again and again and never runs out.
    adjust(&app, 6).await;
    let app = Arc::new(app);
    let written = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..6)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move {
                for _ in 0..15 {
                    adjust(&app, -1).await;
                    adjust(&app, 1).await;
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (app, written) = (app.clone(), written.clone());
            tokio::spawn(async move {
                let mut seen: Vec<Event> = vec![];
                loop {
                    let last = written.load(Ordering::SeqCst);
                    let events = feed(&app, seen.last().map_or(0, |event| event.position), 7).await;
                    if events.is_empty() && last {
                        return seen;
                    }
                    seen.extend(events);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    written.store(true, Ordering::SeqCst);
    let all = seed::number(&mut conn, "SELECT COUNT(*) FROM outbox");
    assert!(all > 0);
    for reader in readers {
        let seen = reader.await.unwrap();
        assert!(seen.is_sorted_by(|a, b| a.position < b.position));
        assert_eq!(seen.iter().map(|event| event.id).collect::<BTreeSet<_>>().len() as i64, all);
    }
}

}
