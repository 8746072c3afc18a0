//! A statement that is put together from parts, each with its values: for lists whose conditions differ from call to call.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text, Untyped};

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

/// SQL with values at its places. All text of it is ours: whatever comes from outside is a value.
#[derive(Clone, Debug, Default)]
pub(in crate::inventory) struct Statement {
    /// What stands before each value, and at last what stands behind them all.
    texts: Vec<String>,
    values: Vec<Value>,
    is_kept: bool,
}

impl Statement {
    /// Appends a part, a blank before it, with a `?` at the place of each value.
    pub(super) fn add<const N: usize>(&mut self, sql: &str, values: [Value; N]) {
        debug_assert_eq!(sql.matches('?').count(), N, "{sql}");
        let mut texts = sql.split('?');
        self.add_text(" ");
        self.add_text(texts.next().unwrap_or_default());
        for (value, text) in values.into_iter().zip(texts) {
            self.add_value(value);
            self.add_text(text);
        }
    }

    /// Appends another statement, between `before` and `after`.
    pub(super) fn add_statement(&mut self, before: &str, part: &Statement, after: &str) {
        self.add(before, []);
        for (index, text) in part.texts.iter().enumerate() {
            self.add_text(text);
            part.values.get(index).into_iter().for_each(|value| self.add_value(value.clone()));
        }
        self.add_text(after);
    }

    fn add_text(&mut self, text: &str) {
        if self.texts.len() == self.values.len() {
            self.texts.push(String::new());
        }
        self.texts.last_mut().expect("one was pushed").push_str(text);
    }

    fn add_value(&mut self, value: Value) {
        self.values.push(value);
    }

    /// Has each connection keep it ready, which spares the database most of its work; only for statements of which there are some
    /// hundreds with different texts at most, because none is ever given up.
    pub(super) fn kept(mut self) -> Self {
        self.is_kept = true;
        self
    }

    /// Runs it.
    pub(super) fn load<T>(self, conn: &mut Connection) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<MultiBackend> + 'static,
    {
        RunQueryDsl::load(self, conn)
    }
}

impl QueryFragment<MultiBackend> for Statement {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        if !self.is_kept {
            out.unsafe_to_cache_prepared();
        }
        for (index, text) in self.texts.iter().enumerate() {
            out.push_sql(text);
            match self.values.get(index) {
                Some(Value::Id(id)) => out.push_bind_param::<sql::Id, _>(id)?,
                Some(Value::Time(time)) => out.push_bind_param::<sql::Instant, _>(time)?,
                Some(Value::Number(number)) => out.push_bind_param::<BigInt, _>(number)?,
                Some(Value::Text(text)) => out.push_bind_param::<Text, _>(text)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// It is known by its text, of which the type says nothing.
impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement {
    type SqlType = Untyped;
}

impl RunQueryDsl<Connection> for Statement {}
