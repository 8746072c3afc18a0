# What British English says otherwise.
address-city = Town or city
address-region = County or region (optional)
address-postal-code = Postcode (optional)
data-kept-addresses = your addresses, your basket, and where each order went
delete-gone = Your name, e-mail address, phone, addresses, basket and password are removed at once.
