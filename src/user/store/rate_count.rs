//! How many requests clients sent to all processes together, minute by minute.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Text};

use crate::clock::Time;
use crate::db::{Connection, sql};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Text)]
    client: String,
    #[diesel(sql_type = BigInt)]
    requests: i64,
}

/// Adds requests of the minute that begins at `minute`, of clients in the order of their names, each once: so no two processes wait
/// for each other. Gives the sums.
pub(in crate::user) fn rate_counts_add(
    conn: &mut Connection,
    minute: Time,
    counts: &[(String, i64)],
) -> QueryResult<Vec<(String, i64)>> {
    const SUM: &str = "ON CONFLICT (client, minute) DO UPDATE SET requests = rate_counts.requests + excluded.requests
                       RETURNING client, requests";
    let sums: Vec<Count> = match conn {
        Connection::Postgres(conn) => {
            let (clients, requests): (Vec<&str>, Vec<i64>) =
                counts.iter().map(|(client, requests)| (client.as_str(), *requests)).unzip();
            let add = format!(
                "INSERT INTO rate_counts (client, minute, requests)
                 SELECT client, $3, requests FROM unnest($1, $2) AS added (client, requests) ORDER BY client COLLATE \"C\" {SUM}"
            );
            sql_query(add)
                .bind::<Array<Text>, _>(clients)
                .bind::<Array<BigInt>, _>(requests)
                .bind::<sql::Instant, _>(minute)
                .load(conn)?
        }
        Connection::Sqlite(conn) => {
            let add = format!("INSERT INTO rate_counts (client, minute, requests) VALUES ($1, $2, $3) {SUM}");
            let add = |(client, requests): &(String, i64)| {
                let row = sql_query(&add).bind::<Text, _>(client).bind::<sql::Instant, _>(minute);
                row.bind::<BigInt, _>(*requests).get_result(conn)
            };
            counts.iter().map(add).collect::<QueryResult<_>>()?
        }
    };
    Ok(sums.into_iter().map(|Count { client, requests }| (client, requests)).collect())
}
