# What British English says otherwise.
fault-cart_full = The basket is full: at most { $max } different things fit. Please buy or remove something first.
label-city = Town or city
label-postal-code = Postcode
label-region = County or region
