//! Work that no request asks for. The modules see to it that of several equal processes one does it.

use std::time::Duration;

use actix_web::web;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::background::Board;
use super::{Modules, deliveries};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::http::gate::Gate;
use crate::web::Site;

/// So often what others may have to take over is looked at.
const OFTEN: Duration = Duration::from_secs(10);

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
    let second = Duration::from_secs(1);
    let (inventory_sweep, inventory_jobs, inventory_orders) = (inventory.clone(), inventory.clone(), inventory.clone());
    let jobs_stopped = stopped.clone();
    let (user_mail, user_orders, inventory_tidy, user_tidy) = (user.clone(), user.clone(), inventory, user);
    vec![
        board.every(sweep, stopped, "sweep of expired holds", move || {
            let inventory = inventory_sweep.clone();
            async move { inventory.reservation_sweep(500).await.map(|count| count == 500) }
        }),
        board.every(second, stopped, "jobs", move || {
            let (inventory, mut stopped, site) = (inventory_jobs.clone(), jobs_stopped.clone(), site.clone());
            async move {
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
                // A job takes long: what is left of it is for whoever asks next.
                inventory.jobs_stop().await;
                run.await
            }
        }),
        board.every(second, stopped, "mail", move || {
            let user = user_mail.clone();
            async move { user.mail_send_next().await }
        }),
        board.every(OFTEN, stopped, "deliveries", move || {
            let (inventory, user, now) = (inventory_orders.clone(), user_orders.clone(), clock.now());
            async move {
                let more = deliveries::settle(&*inventory, &*user, now).await;
                if matches!(more, Ok(true)) {
                    // After an upgrade all there are are due, and checkouts write to the same databases.
                    tokio::time::sleep(second).await;
                }
                more
            }
        }),
        board.every(OFTEN, stopped, "tidying", move || {
            let (inventory, user, gate) = (inventory_tidy.clone(), user_tidy.clone(), gate.clone());
            async move {
                gate.tidy();
                if let Err(error) = user.tidy().await {
                    tracing::warn!(%error, "tidying the user module failed");
                }
                // A full batch: there is more.
                inventory.tidy().await.map(|rows| rows >= 1_000)
            }
        }),
    ]
}
