//! Work that no request asks for. The modules see to it that of several equal processes one does it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::background::Board;
use super::{Modules, deliveries};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::db::Lease;
use crate::http::gate::Gate;
use crate::inventory::{Inventory, InventoryError};
use crate::web::Site;

const SECOND: Duration = Duration::from_secs(1);
/// So often is looked at what needs no haste: often enough for who does it to keep its lease.
const OFTEN: Duration = Duration::from_secs(4);
const _: () = assert!(OFTEN.as_secs() * 2 < Lease::SECONDS);

/// Begins all of it; it ends when `stopped` says so.
pub(super) fn start(
    config: &Config,
    modules: &Modules,
    clock: SharedClock,
    site: web::Data<Site>,
    gate: web::Data<Gate>,
    board: &Board,
    stopped: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let Modules { inventory, user, .. } = modules.clone();
    let sweep = Duration::from_millis(u64::from(config.inventory.sweep_interval_ms));
    let (holds, jobs, orders, goods) = (inventory.clone(), inventory.clone(), inventory.clone(), inventory);
    let (mail, buyers, accounts) = (user.clone(), user.clone(), user);
    let (is_stopped, shared_gate) = (stopped.clone(), gate.clone());
    let mut all = vec![
        board.every(sweep, stopped, "sweep of expired holds", move || {
            let holds = holds.clone();
            async move { holds.reservation_sweep(500).await.map(|count| count == 500) }
        }),
        board.every(SECOND, stopped, "jobs", move || run_jobs(jobs.clone(), site.clone(), is_stopped.clone())),
        board.every(SECOND, stopped, "mail", move || {
            let mail = mail.clone();
            async move { mail.mail_send_next().await }
        }),
        board.every(OFTEN, stopped, "deliveries", move || {
            let (orders, buyers, now) = (orders.clone(), buyers.clone(), clock.now());
            async move {
                let more = deliveries::settle(&*orders, &*buyers, now).await;
                if matches!(more, Ok(true)) {
                    // After an upgrade all there are are due, and checkouts write to the same databases.
                    tokio::time::sleep(SECOND).await;
                }
                more
            }
        }),
        board.every(OFTEN, stopped, "tidying", move || {
            let (goods, accounts, gate) = (goods.clone(), accounts.clone(), gate.clone());
            async move {
                gate.tidy();
                if let Err(error) = accounts.tidy().await {
                    tracing::warn!(%error, "tidying the user module failed");
                }
                // A full batch: there is more.
                goods.tidy().await.map(|rows| rows >= 1_000)
            }
        }),
    ];
    if config.server.nodes > 1 {
        all.push(board.every(SECOND, stopped, "rates of clients", move || {
            let gate = shared_gate.clone();
            async move { gate.share().await.map(|()| false) }
        }));
    }
    all
}

/// Runs the next job. When the shop stops, what is left of it is for whoever asks next: a job takes long.
async fn run_jobs(
    inventory: Arc<dyn Inventory>,
    site: web::Data<Site>,
    mut stopped: watch::Receiver<bool>,
) -> Result<bool, InventoryError> {
    let mut run = inventory.job_run_next();
    tokio::select! {
        more = &mut run => {
            // An import makes categories.
            if matches!(more, Ok(true)) {
                site.forget_menu();
            }
            return more;
        }
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    inventory.jobs_stop().await;
    run.await
}
