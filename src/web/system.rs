//! What the page about the system is told. The pages do not reach into databases or background work: whoever puts the process
//! together answers.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Time;
use crate::config::Stage;

/// This process, as it runs.
#[derive(Clone, Debug)]
pub struct Facts {
    pub version: &'static str,
    /// `release` or `debug`.
    pub build: &'static str,
    /// As `linux x86_64`.
    pub platform: String,
    pub stage: Stage,
    pub started_at: Time,
    pub now: Time,
    /// `None` where the system does not tell.
    pub memory_bytes: Option<i64>,
    pub modules: Vec<ModuleFacts>,
    /// What is configured of replicas and of caches, by key; empty: there are none.
    pub replicas: Vec<(String, String)>,
    pub caches: Vec<(String, String)>,
    pub work: Vec<WorkFacts>,
    /// `folder` or `smtp`, and which one.
    pub mail: &'static str,
    pub mail_to: String,
    /// The settings that are numbers, by their keys.
    pub limits: Vec<(String, i64)>,
}

#[derive(Clone, Debug)]
pub struct ModuleFacts {
    pub name: &'static str,
    /// Where it says it runs; `local`: in this process.
    pub place: &'static str,
    /// The module in whose database file this one is too: that is told there.
    pub shares: Option<&'static str>,
    pub database: DatabaseFacts,
}

#[derive(Clone, Debug)]
pub struct DatabaseFacts {
    pub kind: &'static str,
    /// Without the password.
    pub address: String,
    /// Why it is down; empty: it did not answer in time.
    pub server: Result<ServerFacts, String>,
    pub pools: Vec<PoolFacts>,
}

#[derive(Clone, Debug)]
pub struct ServerFacts {
    pub version: String,
    pub bytes: i64,
    /// The module's newest migration that is applied.
    pub migration: String,
}

#[derive(Clone, Debug)]
pub struct PoolFacts {
    pub lane: &'static str,
    pub size: i64,
    pub idle: i64,
    pub used: i64,
    /// Callers who wait for a connection.
    pub waiting: i64,
}

/// Work that no request asks for.
#[derive(Clone, Debug)]
pub struct WorkFacts {
    pub name: &'static str,
    /// The pause after each run.
    pub interval: Duration,
    pub runs: i64,
    pub last_run: Option<Time>,
    /// How long the last run took.
    pub took: Duration,
    pub last_error: Option<(Time, String)>,
    /// Does this process do it? Of what is done once in the shop one of several does.
    pub is_here: bool,
}

/// Tells of the process. A part that is down is told as such: this never fails.
#[async_trait]
pub trait System: Send + Sync {
    async fn facts(&self) -> Facts;
}
