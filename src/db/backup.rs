//! A copy of an SQLite database, made while it is in use.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::sql_types::Text;
use diesel::{Connection as _, QueryableByName, RunQueryDsl, SqliteConnection};

use super::{Connection, DbError};

/// Writes one moment of the database into a new `file`, checks the copy, and only then gives it its name. Gives its size in bytes.
pub(super) fn backup(conn: &mut Connection, file: &Path) -> Result<u64, DbError> {
    let failed = |error: &dyn std::fmt::Display| DbError::Backup(format!("{}: {error}", file.display()));
    if file.exists() {
        return Err(failed(&"is there already; a backup never overwrites"));
    }
    let partial = partial_name(file);
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(|error| failed(&error))?;
    }
    // Empty, for SQLite to fill: so that from the first byte nobody but the owner reads it.
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
    made.map_err(|error| failed(&error))?;
    // In one read transaction of its own: what is committed meanwhile is not in it, and nobody waits.
    let copied = diesel::sql_query("VACUUM INTO $1").bind::<Text, _>(partial.to_string_lossy()).execute(conn);
    let result = copied.map_err(DbError::from).and_then(|_| check(&partial)).and_then(|()| {
        let copy = std::fs::File::open(&partial).map_err(|error| failed(&error))?;
        copy.sync_all().map_err(|error| failed(&error))?;
        let bytes = copy.metadata().map_err(|error| failed(&error))?.len();
        // Unlike a rename, a hard link never replaces what somebody put there meanwhile.
        std::fs::hard_link(&partial, file).map_err(|error| failed(&error))?;
        Ok(bytes)
    });
    std::fs::remove_file(&partial).map_err(|error| failed(&error))?;
    result
}

fn partial_name(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    file.with_file_name(name)
}

fn check(file: &Path) -> Result<(), DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let mut copy =
        SqliteConnection::establish(&file.to_string_lossy()).map_err(|error| DbError::Backup(error.to_string()))?;
    let rows: Vec<Row> = diesel::sql_query("PRAGMA integrity_check").load(&mut copy)?;
    match rows.as_slice() {
        [row] if row.integrity_check == "ok" => Ok(()),
        rows => {
            let faults: Vec<&str> = rows.iter().map(|row| row.integrity_check.as_str()).collect();
            Err(DbError::Backup(format!("the copy is damaged, so the database may be: {}", faults.join("; "))))
        }
    }
}
