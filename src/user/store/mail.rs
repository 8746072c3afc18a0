//! Mails that are to be sent.

use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::mail::{Letter, Mail};
use crate::user::schema::mails;

/// Writes a mail into the caller's transaction. Without a recipient it only takes the time of one.
pub(in crate::user) fn mail_insert(
    conn: &mut Connection,
    recipient: &str,
    letter: &Letter,
    now: Time,
) -> QueryResult<()> {
    diesel::insert_into(mails::table)
        .values((
            mails::id.eq(Id::new(now)),
            mails::recipient.eq(recipient),
            mails::subject.eq(&letter.subject),
            mails::body.eq(&letter.body),
            mails::not_before.eq(now),
            mails::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// The mail that has been due for longest, and how often it was tried.
pub(in crate::user) fn mail_due(conn: &mut Connection, now: Time) -> QueryResult<Option<(Mail, i64)>> {
    let row: Option<(Id, String, String, String, i64)> = mails::table
        .filter(mails::not_before.le(now))
        .order((mails::not_before, mails::id))
        .select((mails::id, mails::recipient, mails::subject, mails::body, mails::attempts))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, recipient, subject, body, attempts)| (Mail { id, recipient, subject, body }, attempts)))
}

/// Takes a mail that was tried `attempts` times, until `not_before`; gives false where another process took it.
pub(in crate::user) fn mail_claim(conn: &mut Connection, id: Id, attempts: i64, not_before: Time) -> QueryResult<bool> {
    let claimed = diesel::update(mails::table.find(id).filter(mails::attempts.eq(attempts)))
        .set((mails::attempts.eq(attempts + 1), mails::not_before.eq(not_before)))
        .execute(conn)?;
    Ok(claimed > 0)
}

/// Forgets a mail that was sent or given up.
pub(in crate::user) fn mail_delete(conn: &mut Connection, id: Id) -> QueryResult<()> {
    diesel::delete(mails::table.find(id)).execute(conn)?;
    Ok(())
}
