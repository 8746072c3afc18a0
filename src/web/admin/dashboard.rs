//! How the shop does, at a glance.

use actix_web::web;
use askama::Template;

use super::chart::{Chart, Data, Series};
use super::orders::{self, Row};
use super::scarce;
use crate::clock::Time;
use crate::http::ApiResult;
use crate::http::traffic::{Minute, Traffic};
use crate::inventory::{
    InventoryError, Money, OrderDay, ProductQuery, ReservationQuery, ReservationState, ReservationSummary,
    STATE_COUNT_MAX, ScarceSku, Scarcity, StockSummary,
};
use crate::kept::Kept;
use crate::web::Shell;

/// So many days of orders are shown.
const DAYS: u32 = 14;
/// So many orders that wait, and so many SKUs that run low.
const SHOWN: u32 = 6;
/// Figures for which all stock and all orders are read may be so old.
const FIGURES_SECONDS: u32 = 15;

/// With the moment at which they were asked for.
type Figures = (Time, StockSummary, Vec<ScarceSku>, ReservationSummary);

#[derive(Template)]
#[template(path = "admin/dashboard.html")]
struct Page<'a> {
    shell: &'a Shell,
    is_empty: bool,
    /// When the tiles and the orders of the days and states were counted.
    as_of: Time,
    stock: StockSummary,
    today: (i64, Money),
    states: Vec<State>,
    orders: Chart,
    waiting: Vec<Row>,
    low: Vec<scarce::Row>,
    requests: Chart,
    latency: Chart,
}

/// How many reservations are in a state.
struct State {
    state: ReservationState,
    name: String,
    count: String,
    is_order: bool,
}

/// One question after the other: a page for staff must not take all of the pool's connections.
pub(super) async fn dashboard(
    shell: Shell,
    traffic: web::Data<Traffic>,
    figures: web::Data<Kept<Figures>>,
) -> ApiResult {
    let inventory = &shell.site.inventory;
    let now = shell.site.clock.now();
    let days = shell.site.format.days(now, DAYS);
    let any = ProductQuery { limit: Some(1), ..ProductQuery::default() };
    let waiting = ReservationQuery {
        state: Some(ReservationState::Committed),
        limit: Some(SHOWN),
        ..ReservationQuery::default()
    };
    let ask = async || {
        let stock = inventory.stock_summary().await?;
        let low = inventory.stock_scarce(Scarcity::Low, None, Some(SHOWN)).await?;
        Ok::<_, InventoryError>((now, stock, low.items, inventory.reservation_summary(days).await?))
    };
    let (as_of, stock, low, summary) = figures.get(now, FIGURES_SECONDS, ask).await?;
    let any = inventory.product_list(any).await?;
    let waiting = inventory.reservation_list(waiting).await?;
    let nothing = || Money { amount: 0, currency: shell.site.currency.clone() };
    let today = summary.days.last().map_or((0, nothing()), |day| (day.orders, day.value.clone()));
    let hour = traffic.hour();
    shell.html(&Page {
        shell: &shell,
        is_empty: any.items.is_empty(),
        as_of,
        stock,
        today,
        states: summary.states.iter().map(|(state, count)| state_row(&shell, *state, *count)).collect(),
        orders: Chart::bars(&shell, of_days(&shell, &summary.days)),
        waiting: orders::rows(&shell, &waiting.items).await?,
        low: low.into_iter().map(scarce::Row::of).collect(),
        requests: Chart::lines(&shell, of_requests(&shell, &hour)),
        latency: Chart::lines(&shell, of_latency(&shell, &hour)),
    })
}

fn state_row(shell: &Shell, state: ReservationState, count: i64) -> State {
    let more = if count >= STATE_COUNT_MAX { "+" } else { "" };
    State {
        state,
        name: shell.word("sale-state", state),
        count: format!("{}{more}", shell.number(count)),
        is_order: matches!(
            state,
            ReservationState::Committed | ReservationState::Shipped | ReservationState::Cancelled
        ),
    }
}

fn of_days(shell: &Shell, days: &[OrderDay]) -> Data {
    let numbers = |number: fn(&OrderDay) -> i64| days.iter().map(|day| shell.number(number(day))).collect();
    let orders: i64 = days.iter().map(|day| day.orders).sum();
    Data {
        id: "orders",
        title: shell.t("dashboard-orders"),
        description: shell.t1("dashboard-orders-all", "n", orders),
        of: shell.t("chart-day"),
        points: days.iter().map(|day| shell.day(day.from)).collect(),
        series: vec![Series {
            name: shell.t("dashboard-orders"),
            values: days.iter().map(|day| Some(day.orders as f64)).collect(),
        }],
        columns: vec![
            (shell.t("chart-orders"), numbers(|day| day.orders)),
            (shell.t("chart-units"), numbers(|day| day.units)),
            (shell.t("chart-value"), days.iter().map(|day| shell.money(&day.value)).collect()),
        ],
    }
}

fn of_requests(shell: &Shell, hour: &[Minute]) -> Data {
    let (requests, errors): (i64, i64) =
        hour.iter().fold((0, 0), |sum, minute| (sum.0 + minute.requests, sum.1 + minute.errors));
    let series = |name: String, number: fn(&Minute) -> i64| {
        let values = hour.iter().map(|minute| Some(number(minute) as f64)).collect();
        let texts = hour.iter().map(|minute| shell.number(number(minute))).collect();
        (Series { name: name.clone(), values }, (name, texts))
    };
    let all = series(shell.t("chart-requests"), |minute| minute.requests);
    let failed = series(shell.t("chart-errors"), |minute| minute.errors);
    Data {
        id: "requests",
        title: shell.t("dashboard-requests"),
        description: shell.t2("dashboard-requests-all", "n", requests, "errors", errors),
        of: shell.t("chart-minute"),
        points: hour.iter().map(|minute| shell.clock(minute.from)).collect(),
        series: vec![all.0, failed.0],
        columns: vec![all.1, failed.1],
    }
}

fn of_latency(shell: &Shell, hour: &[Minute]) -> Data {
    let series = |name: String, number: fn(&Minute) -> Option<f64>| {
        let text = |minute| number(minute).map_or_else(String::new, |ms| format!("{ms:.1}"));
        let values = hour.iter().map(number).collect();
        (Series { name: name.clone(), values }, (name, hour.iter().map(text).collect()))
    };
    let half = series(shell.t("chart-p50"), |minute| minute.p50_ms);
    let most = series(shell.t("chart-p95"), |minute| minute.p95_ms);
    let slowest = hour.iter().filter_map(|minute| minute.p95_ms).fold(0.0, f64::max);
    Data {
        id: "latency",
        title: shell.t("dashboard-latency"),
        description: shell.t1("dashboard-latency-all", "ms", format!("{slowest:.1}")),
        of: shell.t("chart-minute"),
        points: hour.iter().map(|minute| shell.clock(minute.from)).collect(),
        series: vec![half.0, most.0],
        columns: vec![half.1, most.1],
    }
}
