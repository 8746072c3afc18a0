# Home
home-title = Welcome
home-description = Shop online at { $shop }.
home-heading = Welcome to { $shop }
home-browse = Browse all products
home-newest = New in the shop
home-empty = There are no products yet.
home-no-admin = This shop has no admin yet.
home-no-admin-log = To make one, look for the line that “emporium serve” printed when it started: it names an address with a one-time token.
home-no-admin-command = Or run, where the shop runs:

# Lists of products
listing-all = All products
listing-results = Results for “{ $words }”
listing-any = Any
listing-below = Within this category
listing-filters = Filters
listing-filters-in-force = Filters in force
listing-filter-off = Remove the filter
listing-sort = Sort by
listing-vendor = Brand
listing-tag = Tag
listing-price = Price ({ $currency })
listing-price-range = From { $low } to { $high }
listing-price-min = From
listing-price-max = To
listing-in-stock = In stock
listing-in-stock-n = In stock only ({ $n } of { $total })
listing-apply = Show
listing-products = Products
listing-total = { $n ->
    [one] One product
   *[other] { $n } products
}
listing-none = Nothing fits. Try fewer filters or other words.
listing-unfiltered = Remove all filters
listing-look = Or look around
filter-words = “{ $words }”
filter-from = From { $price }
filter-to = To { $price }
sort-relevance = Best match
sort-newest = Newest
sort-price = Price, low to high
sort-price-descending = Price, high to low
sort-title = Name, A to Z
sort-title-descending = Name, Z to A

# A product
price-from = from { $price }
price-before = Before:
stock-in = In stock
stock-few = { $left ->
    [one] Only one left
   *[other] Only { $left } left
}
stock-backorder = Can be ordered; ships when it is here
stock-out = Sold out
choice-out = sold out
choice-find = Find: { $name }
choice-cut = { $shown } of { $all } are in the list. Enter a part of what you look for.
product-unseen-draft = Draft: only staff see this.
product-unseen-archived = Archived: only staff see this.
product-edit = Edit it
product-choose = Show price and stock
product-quantity = Quantity
product-add = Add to cart
product-code = Article { $code }
product-nothing = Not for sale at the moment
product-facts = Facts
product-tags = Tags
flash-no-such-choice = There is no such combination. Please choose another one.
flash-sold-out = This is sold out now.
flash-login-to-order = To order, log in or create an account. Your cart is kept.
listing-price-order = This is below the other price.
product-quantity-range = Please enter a quantity from 1 to { $max }.

# The cart
cart-title = Cart
cart-empty = Your cart is empty.
cart-gone = Some things in your cart are not sold any more:
cart-remove = Remove
cart-update = Update quantities
cart-sum = Total
cart-note = The goods are kept for you once you go to the checkout.
cart-checkout = Go to checkout
cart-sold-out = This is sold out now.
cart-only-so-many = { $most ->
    [one] Only one can be ordered now.
   *[other] Only { $most } can be ordered now.
}
cart-not-so-many = { $there ->
    [0] { cart-only-so-many }
   *[other] { cart-only-so-many } { $there } of this { $there ->
        [one] is
       *[other] are
    } in your cart already.
}
cart-quantity-range = Please enter a quantity from 0 to { $max }.
cart-too-many = At most { $max } items can be ordered at a time; these are { $n } together. Please order fewer.
cart-no-room = At most { $max } items can be ordered at a time, and { $there } { $there ->
    [one] is
   *[other] are
} in your cart already.
cart-no-room-of-one = At most { $max } of one thing can be ordered at a time, and { $there } of this { $there ->
    [one] is
   *[other] are
} in your cart already.
flash-added = It is in your cart.
flash-cart-changed = Your cart was changed.
cart-open = Goods of your cart are being kept for you.
cart-open-link = Go on with the checkout
error-out_of_stock = There is not enough of everything in your cart, so nothing was kept for you yet.

# The checkout
checkout-steps = Steps of the checkout
checkout-step-address = Address
checkout-step-review = Review and order
checkout-address-title = Where shall it go?
checkout-held-until = Your goods are kept for you until { $time }.
checkout-extend = Keep them longer
checkout-hurry = Less than a minute left: keep your goods longer, or go on now.
flash-extended = Your goods are kept longer.
checkout-saved = One of your addresses
checkout-use = Use this address
checkout-new-address = Or another address
checkout-save = Save this address for next time
checkout-to-review = Go on to the review
checkout-leave = Leave the checkout; the cart stays
checkout-review-title = Is everything right?
checkout-change-address = Change the address
checkout-payment = Payment
checkout-no-payment = No payment is taken on this site: placing the order costs nothing here.
checkout-place = Place the order
checkout-shortage = { $requested } asked for, { $available ->
    [0] none left
   *[other] { $available } left
}
checkout-offer = You can take what is left, or change your cart.
checkout-take-rest = Take what is left
checkout-ended-title = Your time has run out
checkout-ended-text = The goods went back to the shop, so that others can buy them. Your cart is as it was: start the checkout again to see what is still there.
checkout-ended-gone = Meanwhile these have gone:
checkout-to-cart = Back to the cart
flash-checkout-left = The goods went back to the shop. Your cart is as it was.
flash-ordered = Thank you! Your order is placed. No mail is sent about it; you find it at any time under

# Orders
orders-none = You have not ordered anything yet.
order-title = Your order
order-placed = Placed on { $time }
order-number = Order number
order-delivery = Goes to
order-no-payment = No payment was taken for this order.
order-shipped-part = { $n } of them sent
order-cancelled-part = { $n } canceled
order-sum-sent = Sum of what was sent
order-cancel = Cancel the order
order-cancel-ask = Cancel this order? What has not been sent yet goes back to the shop.
flash-order-cancelled = The order is canceled.
order-held = Not placed yet
order-committed = Being prepared
order-partly-shipped = Partly sent
order-shipped = Sent
order-released = Given up
order-expired = Run out
order-cancelled = Canceled
order-partly-cancelled = Partly canceled
