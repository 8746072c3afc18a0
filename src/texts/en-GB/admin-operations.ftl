# What British English says otherwise.
dashboard-empty = There are no products yet. Add the first one, import a file, or try the sample catalogue.
dashboard-orders-all = { $n ->
    [one] One order in 14 days, without cancelled ones.
   *[other] { $n } orders in 14 days, without cancelled ones.
}
sale-state-cancelled = Cancelled
sale-state-partly-cancelled = Partly cancelled
sale-cancelled = Cancelled
flash-sale-cancelled = The order is cancelled.
system-job-cancelled = Cancelled
changes-hint = Who changed products, categories and locations, and who shipped or cancelled orders. Changes of stock are in each SKU’s ledger.
action-reservation-cancelled = Order cancelled
