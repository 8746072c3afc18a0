# Fields
field-email = E-mail address
field-password = Password
field-name = Name
field-name-optional = Name (optional)
field-phone = Phone (optional)
field-phone-now = Phone
field-current-password = Current password
field-new-password = New password
name-hint = As you would like to be called.
password-hint = At least { $min } characters. A few words that do not belong together are easy to remember and hard to guess.
password-needed = Please enter your password.
password-wrong = This is not your current password.

# Addresses
address-name = Full name
address-company = Company (optional)
address-line1 = Street and number
address-line2 = Apartment, floor (optional)
address-city = City
address-region = State or region (optional)
address-postal-code = ZIP code (optional)
address-country = Country
address-country-choose = Choose a country
address-phone = Phone (optional)
address-phone-hint = Only for questions about the delivery.
address-name-missing = Please enter who gets it.
address-line1-missing = Please enter the street.
address-city-missing = Please enter the city.
address-country-missing = Please choose the country.

# Logging in
login-title = Log in
login-button = Log in
login-forgot = Forgot your password?
login-new = New here?
login-new-text = With an account you can order, and see what became of your orders.
flash-unverified = Your e-mail address is not confirmed yet: please open the link in the mail that we sent you.
flash-logged-out = You are logged out.

# Creating an account
register-title = Create an account
register-button = Create account
register-known = Have an account already?
sent-title = A mail is on its way
register-sent-text = We have sent a mail to the address you entered. Open the link in it to confirm that the address is yours.
register-sent-login = You can log in before you have done so.
sent-nothing = Nothing there? Look among the unwanted mails, and whether the address was right.
again = Try again

# Confirming an address
verify-title = Confirm your address
verify-text = One click, and we know that your mails reach you.
verify-button = Confirm
verify-failed-known = Have you used the link before? Then your address is confirmed: just log in.
verify-failed-again = If not: log in, and ask for a new link on the page of your account.
flash-verified = Thank you: your address is confirmed.

# A forgotten password
forgot-title = Forgot your password?
forgot-text = Enter the address of your account. We send you a link with which you can set a new password.
forgot-button = Send the link
forgot-sent-title = Look into your mails
forgot-sent-text = If there is an account with this address, it gets a mail with a link now. The link works once, and not for long.
reset-title = Set a new password
reset-text = Afterwards all devices are logged out, and you log in with the new password.
reset-button = Set password
reset-again = Ask for a new link
flash-password-reset = Your new password is set. Please log in with it.

# The account
account-title = Your account
account-of = Logged in as { $email }
account-unverified = Your address { $email } is not confirmed yet. Please open the link in the mail that we sent you.
account-unverified-button = Send me a new link
account-logout = Log out
flash-verify-sent = A mail with a new link is on its way.
account-orders = Your orders
account-orders-text = What you bought, and where it is now
account-profile = Name and phone
account-profile-text = How we call you, and reach you
account-email = E-mail address
account-email-text = With which you log in
account-password = Password
account-password-text = Set a new one
account-addresses = Addresses
account-addresses-text = Where your orders go
account-sessions = Devices
account-sessions-text = Where you are logged in
account-data = Your data
account-data-text = What we keep, to look at and to take with you
account-delete = Delete your account
account-delete-text = And what we keep about you, but for what was ordered
account-save = Save
account-cancel = Cancel
account-now = What is there now
account-now-text = If you save again, what you entered takes its place.
account-nothing = (nothing)
flash-saved = Saved.

# E-mail address
email-now = Your address is { $email }.
email-new = New e-mail address
email-text = We send a link to the new address. It counts once you have opened the link; until then all stays as it is.
email-button = Change address
flash-email-asked = A mail is on its way to the new address. Open the link in it to make it yours.

# Password
password-text = All your other devices are logged out then.
password-button = Change password
flash-password-changed = Your password is changed. Your other devices are logged out.

# The list of addresses
addresses-none = There are no addresses yet.
addresses-add = Add an address
addresses-new = New address
addresses-edit = Edit address
addresses-edit-link = Edit
addresses-delete = Delete
addresses-delete-ask = Delete this address?
addresses-default = Default
addresses-make-default = Make default
addresses-is-default = Use this address unless I choose another one
flash-address-added = The address is added.
flash-address-deleted = The address is deleted.

# Devices
sessions-text = If you do not know one of them, end it and set a new password.
sessions-current = This device
sessions-where = IP address { $address }
sessions-where-unknown = IP address not known
sessions-since = Logged in { $time }
sessions-seen = Last used { $time }
sessions-end = Log out
sessions-end-others = Log out all other devices
flash-session-ended = That device is logged out.
flash-sessions-ended = All other devices are logged out.
device-on = { $browser } on { $system }
device-unknown = Unknown device

# Data
data-text = We keep what the shop needs to serve you, and nothing else:
data-kept-profile = your name, e-mail address and phone, and a fingerprint of your password from which nobody can read it
data-kept-addresses = your addresses, your cart, and where each order went
data-kept-orders = your orders, and what you held in the checkout
data-kept-sessions = your devices with their IP addresses, as long as they are logged in
data-kept-log = a log of what was done to your account, so that you can see if somebody else did it
data-download = Download all of it
data-download-hint = A JSON file, which programs can read.

# Deleting
delete-text = What happens:
delete-gone = Your name, e-mail address, phone, addresses, cart and password are removed at once.
delete-orders = The shop keeps what you ordered, and the name and address that each order went to: it must be able to show what it sold and where it sent it. Nothing else in its books leads to you.
delete-logged-out = All your devices are logged out.
delete-for-good = Nobody can bring the account back.
delete-to-orders = To your orders
delete-sure = Yes, delete my account for good
delete-sure-missing = Please tick the box if you are sure.
delete-button = Delete account
flash-account-deleted = Your account is deleted. Thank you for having been here.
