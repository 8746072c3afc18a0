//! A statement that is put together from parts, each with its values: for lists whose conditions differ from call to call.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};

use crate::clock::{Id, Time};
use crate::db::{Connection, MultiBackend, sql};

/// A value for one of a statement's places.
#[derive(Clone, Debug)]
pub(in crate::inventory) enum Value {
    Id(Id),
    Time(Time),
    Number(i64),
    Text(String),
}

impl From<Id> for Value {
    fn from(id: Id) -> Self {
        Value::Id(id)
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Value::Time(time)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

/// SQL with a `?` at the place of each value. All text of it is ours: whatever comes from outside is a value.
#[derive(Clone, Debug, Default)]
pub(in crate::inventory) struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    /// Appends a part, a blank before it, and the values of its places in their order.
    pub(super) fn add<const N: usize>(&mut self, sql: &str, values: [Value; N]) {
        self.sql.push(' ');
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// Appends another statement, between `before` and `after`.
    pub(super) fn add_statement(&mut self, before: &str, part: &Statement, after: &str) {
        for text in [" ", before, &part.sql, after] {
            self.sql.push_str(text);
        }
        self.values.extend(part.values.iter().cloned());
    }

    /// Appends a value for each of `values`, separated by commas.
    pub(super) fn add_list(&mut self, values: impl IntoIterator<Item = Value>) {
        let before = self.values.len();
        self.values.extend(values);
        self.sql.push_str(&vec!["?"; self.values.len() - before].join(", "));
    }

    /// Runs it.
    pub(super) fn load<T>(self, conn: &mut Connection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<MultiBackend> + 'static,
    {
        let mut query = sql_query(numbered(&self.sql)).into_boxed::<MultiBackend>();
        for value in self.values {
            query = match value {
                Value::Id(id) => query.bind::<sql::Id, _>(id),
                Value::Time(time) => query.bind::<sql::Instant, _>(time),
                Value::Number(number) => query.bind::<BigInt, _>(number),
                Value::Text(text) => query.bind::<Text, _>(text),
            };
        }
        query.load(conn)
    }
}

/// `$1`, `$2` … in the place of each `?`: what both databases take.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        text.push_str(&format!("${}{part}", index + 1));
    }
    text
}
