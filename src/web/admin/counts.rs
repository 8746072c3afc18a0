//! Counting many shelves in one form: each number that was changed is set if the shelf is as it was shown, and says what became of it.

use crate::error::ErrorCode;
use crate::http::ApiResult;
use crate::inventory::{Count, Counter, ROWS_MAX, RowError, StockBatch};
use crate::web::{Form, Shell};

/// A field for a count, and the hidden ones beside it: `counted.7` belongs to `shelf.7`, which names the SKU and the location.
pub(super) struct Cell {
    pub(super) n: usize,
    /// `SKU/LOCATION`: neither has a `/`.
    pub(super) shelf: String,
    /// What is there now, what was shown beside what was typed, and what was typed.
    pub(super) now: i64,
    pub(super) expected: String,
    pub(super) counted: String,
}

impl Cell {
    /// The field at place `n` of the page. What was typed in this form, where its field is number `sent`, stays with what was shown
    /// beside it: else a number that moved meanwhile would be set back unseen. `is_told`: the page says that it has moved.
    pub(super) fn of(form: &Form, n: usize, shelf: String, now: i64, sent: Option<&str>, is_told: bool) -> Cell {
        let sent = sent.map(|sent| ["counted", "expected"].map(|name| form.text(&format!("{name}.{sent}"))));
        let shown = now.to_string();
        let (counted, expected) = match sent.filter(|[counted, expected]| counted != expected) {
            Some([counted, _]) if is_told => (counted, shown),
            Some([counted, expected]) => (counted, expected),
            None => (shown.clone(), shown),
        };
        Cell { n, shelf, now, expected, counted }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.counted != self.now.to_string()
    }
}

/// What became of a number that was changed.
pub(super) struct Counted {
    /// The number of its field.
    pub(super) n: String,
    pub(super) sku: String,
    pub(super) location: String,
    /// Why it was not set.
    pub(super) fault: Option<String>,
    /// There is another number than the one that was shown.
    pub(super) has_moved: bool,
}

impl Counted {
    /// Notes why the number was not set, also at its field.
    fn fail(&mut self, form: &mut Form, message: String) {
        form.fault(&format!("counted.{}", self.n), format!("{}, {}: {message}", self.sku, self.location));
        self.fault = Some(message);
    }
}

/// Sets all numbers of the form that are not those that were shown.
pub(super) async fn count(shell: &Shell, form: &mut Form) -> ApiResult<Vec<Counted>> {
    let mut counted: Vec<Counted> = form
        .all("shelf.")
        .filter(|(n, _)| form.get(&format!("counted.{n}")) != form.get(&format!("expected.{n}")))
        .map(|(n, shelf)| (n, shelf.split_once('/').unwrap_or_default()))
        .map(|(n, (sku, location))| Counted {
            n: n.into(),
            sku: sku.into(),
            location: location.into(),
            fault: None,
            has_moved: false,
        })
        .take(ROWS_MAX)
        .collect();
    if !counted.is_empty() && form.get("reason").is_empty() {
        let message = shell.t("stock-reason-missing");
        form.fault("reason", message.clone());
        counted.iter_mut().for_each(|shelf| shelf.fault = Some(message.clone()));
    }
    let mut rows = vec![];
    for shelf in counted.iter_mut().filter(|shelf| shelf.fault.is_none()) {
        let number = |name: &str| form.get(&format!("{name}.{}", shelf.n)).parse::<i64>();
        let (Ok(counted), Ok(expected)) = (number("counted"), number("expected")) else {
            shelf.fail(form, shell.t("counts-no-number"));
            continue;
        };
        let (sku, location, reason) = (shelf.sku.clone(), shelf.location.clone(), form.text("reason"));
        rows.push(Count { sku, location, counter: Counter::OnHand, expected, counted, reason });
    }
    if rows.is_empty() {
        return Ok(counted);
    }
    let sent = counted.iter_mut().filter(|shelf| shelf.fault.is_none());
    match shell.site.inventory.stock_count(&form.once(shell)?, StockBatch { atomic: false, rows }).await {
        Ok(done) => {
            for (shelf, result) in sent.zip(done.value.rows) {
                if let Some(error) = result.error {
                    shelf.has_moved = error.code == ErrorCode::CountMismatch.code();
                    shelf.fail(form, told(shell, &error));
                }
            }
        }
        Err(error) => {
            form.refuse(error)?;
            sent.for_each(|shelf| shelf.fault = Some(shell.t("counts-not-done")));
        }
    }
    Ok(counted)
}

/// Why a row of a batch was not done.
fn told(shell: &Shell, error: &RowError) -> String {
    if let Some(fault) = error.errors.first() {
        return shell.site.texts.fault(fault);
    }
    shell.site.texts.problem(&error.code, &Default::default(), 1).unwrap_or_else(|| shell.t("error-other"))
}
