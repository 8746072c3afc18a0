# What British English says otherwise.
nav-cart = Basket
cart-title = Basket
failure-advice-outcome_unknown = The connection broke at the last moment. Please look at your orders or your basket before you do it again.
cart-empty = Your basket is empty.
cart-gone = Some things in your basket are not sold any more:
cart-no-room = At most { $max } items can be ordered at a time, and { $there } { $there ->
    [one] is
   *[other] are
} in your basket already.
cart-no-room-of-one = At most { $max } of one thing can be ordered at a time, and { $there } of this { $there ->
    [one] is
   *[other] are
} in your basket already.
product-add = Add to basket
flash-added = It is in your basket.
flash-cart-changed = Your basket was changed.
cart-open = Goods in your basket are being kept for you.
error-out_of_stock = There is not enough of everything in your basket, so nothing was kept for you yet.
checkout-leave = Leave the checkout; the basket stays
checkout-offer = You can take what is left, or change your basket.
checkout-ended-text = The goods went back to the shop, so that others can buy them. Your basket is as it was: start the checkout again to see what is still there.
checkout-to-cart = Back to the basket
flash-checkout-left = The goods went back to the shop. Your basket is as it was.
flash-login-to-order = To order, log in or create an account. Your basket is kept.
order-cancelled = Cancelled
order-partly-cancelled = Partly cancelled
order-cancelled-part = { $n } cancelled
flash-order-cancelled = The order is cancelled.
