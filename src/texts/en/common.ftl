# On every page
skip = Skip to the content
search-label = Search the shop
search-button = Search
nav-own = Your things
nav-admin = Admin
nav-account = Account
nav-login = Log in
nav-cart = Cart
nav-orders = Your orders
nav-categories = Categories
nav-trail = Where you are
nav-home = Home
nav-pages = Pages
pages-first = Back to the beginning
pages-next = Next page
foot-about = { $shop }. No payment is taken on this site.
foot-api = API
cart-items = { $n ->
    [one] item
   *[other] items
}

# Forms
# With the blank behind it.
title-error = Error:{" "}
form-problem = There is a problem
form-now = Now it is: { $value }
form-now-empty = Now it is empty.
form-more-faults = … and { $n } more
error-validation = Please check what you entered.
error-bad_request = The form could not be read. Please try again.
error-wrong_credentials = The address or the password is wrong.
error-account_disabled = This account is disabled: nobody can log in with it now. If that is not right, please write to the shop.
error-too_many_requests = That was tried too often. Please wait { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
} and try again.
error-token_invalid = This link is wrong, was used already, or is too old. Please ask for a new one.
error-already_exists = There is one with this name already.
error-version_mismatch = Somebody else has changed this while you had it open. Below is what you entered; what is there now stands beside it. Save again to replace it.
error-stock_promised = These units are promised to reservations.
error-count_mismatch = The stock has changed since you counted. Please look at it again.
error-wrong_state = Its state does not allow this any more.
error-holder_limit = So many units cannot be kept for you: at most { $max } at a time, with what is kept for you already.
error-payload_too_large = That is too large.
error-other = This is not possible now. Please load the page again.
error-reservation_expired = The time has run out, and the goods are gone.
error-idempotency_key_in_use = This is being done already. Please wait a moment.
error-idempotency_key_reused = This form was sent before with other values. Please load the page again.

error-form_outdated = The page was opened before you logged in, or with another session of yours, so nothing was done. Please choose the file again and send it.

# A form of an older page
again-title = Please send this once more
again-text = The page was opened before you logged in, or with another session of yours. Nothing was done yet, and what you entered is kept: please send it again.
again-as = You are logged in as { $email }: it will be done in this account.
again-nothing = It carries nothing that you typed: it does what its address says.
again-what = This will be sent
again-as-chosen = as chosen
again-where = It goes to
again-button = Send it again
again-leave = Do not send it

# Errors
failure-home = To the home page
failure-id = If you write to us about it, please name this number:
failure-title-400 = This did not work
failure-advice-400 = The shop could not do what your browser asked for.
failure-title-403 = You may not do this
failure-advice-403 = If you think that you should, log in with another account, or load the page again before you send the form.
failure-advice-403-read = This page is for others. If you think that you should see it, log in with another account.
failure-title-404 = There is no such page
failure-advice-404 = It may have moved, or the address has a mistake. The search at the top finds products.
failure-title-409 = This is not possible now
failure-advice-409 = Something has changed since you loaded the page. Load it again and see what is there now.
failure-title-412 = Somebody else was quicker
failure-advice-412 = This was changed while you had it open. Load it again and repeat your change.
failure-title-429 = Please slow down
failure-advice-429 = The shop got very many requests from you. Wait a moment, then go on.
failure-title-500 = Something went wrong on our side
failure-advice-500 = It has been noted. Please try again in a while.
failure-title-outcome_unknown = We do not know whether it was done
failure-advice-outcome_unknown = The connection broke at the last moment. Please look at your orders or your cart before you do it again.
failure-title-503 = The shop is very busy
failure-advice-503 = Please try again in a few seconds. What you have done so far is kept.
