# What is wrong with a value, by its code. Above a form the field's label stands before it.
fault-missing = Please fill this in.
fault-empty = Please fill this in.
fault-malformed = This cannot be read. Please look at it once more.
fault-too_long = This is too long: it has { $length } characters, and at most { $max } fit.
fault-control_character = There is an invisible character in it that is not allowed. Please type it anew.
fault-not_integer = Please enter a whole number.
fault-out_of_range = Please enter a number from { $min } to { $max }.
fault-too_many = These are { $count }; at most { $max } are allowed.
fault-wrong_count = These are { $count }; it must be { $min } to { $max }.
fault-too_many_words = These are { $count } words; please use at most { $max }.
fault-in_another_row = This SKU is in another row too.
fault-too_many_skus = The products of these rows have { $count } SKUs together; at most { $max } can be done at a time.
fault-repeated = This is there twice.
fault-slug = Please use small letters from a to z, digits, and single hyphens between them, at most { $max } in all.
fault-no_slug = It cannot be made from this name. Please enter one.
fault-sku_code = Please use letters, digits and signs without spaces, commas and slashes, at most { $max } in all.
fault-location_code = Please use letters, digits, hyphens, underscores and dots, at most { $max } in all.
fault-image_url = Please enter an address that begins with https:// or with a single slash, without spaces.
fault-not_amount = Please enter an amount such as 12.50, in { $currency }.
fault-currency = All prices of this shop are in { $currency }.
fault-country = Please choose a country, by its two letters.
fault-degrees = Please enter a number from -{ $max } to { $max }.

# People and keys
fault-email = Please enter an e-mail address, such as ann@example.com.
fault-phone = Please enter a phone number of at least { $min } digits, such as +1 555 0100-22.
fault-same_email = This is your address already.
fault-password_too_short = Please use at least { $min } characters.
fault-password_too_long = Please use at most { $max } characters.
fault-password_too_weak = This is too easy to guess. Take some more words, or ones that do not belong together.
fault-no_scope = Please choose at least one right.
fault-not_in_future = Please choose a day in the future.
fault-too_far_in_future = Please choose a day within { $years } years, or none for a key that does not end.
fault-own_account = You cannot disable yourself.
fault-last_admin = This is the last admin: make somebody else an admin first.
fault-account_exists = There is an account with this address.
fault-set_up_already = This shop has an admin already. Please log in.
fault-set_up_address_taken = There is an account with this address already. Take another address; or run “emporium user create-admin” with this address where the shop runs: it makes that account an admin.
fault-addresses_full = At most { $max } addresses can be kept. Please delete one first.
fault-orders_waiting = Orders of yours are not shipped yet. Wait for them, or cancel them first: without your account we would not know where to send them.
fault-cart_full = The cart is full: at most { $max } different things fit. Please buy or remove something first.

# Goods
fault-text_too_large = This text is too long. Please shorten it.
fault-too_many_tags = This text has { $count } tags; at most { $max } are allowed.
fault-too_many_references = This text has { $count } signs that begin with “&”; at most { $max } are allowed.
fault-option_repeated = Another option has this name too.
fault-option_count = This product has { $options ->
    [one] one option
   *[other] { $options } options
}: please choose a value for each.
fault-option_names = This product has variants, so the number of its options stays { $kept }.
fault-attribute_name = The name must have 1 to { $max } characters.
fault-image_repeated = Another picture of this product has this address too.
fault-sku_repeated = Another variant of this product has this code too.
fault-options_repeated = Another variant of this product has the same options.
fault-no_such_category = This category is no longer there. Please choose another one.
fault-category_in_itself = A category cannot be within itself.
fault-category_too_deep = This would make { $depth } levels of categories; at most { $max } are allowed.
fault-price_order = This is below the other price.
fault-sort_needs_words = Best match needs words to look for.
fault-product_had_stock = This product has had stock, which must stay explained. Archive it instead.
fault-sku_had_stock = { $sku } has had stock, which must stay explained, so it stays.
fault-skus_full = A product has at most { $max } variants.
fault-backorder_promised = More than { $max } beyond the stock of a location are promised already.
fault-category_in_use = There are categories or products in this category. Move them first.
fault-categories_full = There are { $max } categories, the most there can be.
fault-locations_full = There are { $max } locations, the most there can be.

# Stock and orders
fault-no_such_sku = There is no such article.
fault-no_such_location = There is no such location.
fault-not_for_sale = This is not for sale.
fault-location_not_in_use = This location is not in use.
fault-no_change = Please enter by how much it changes: 0 changes nothing.
fault-same_location = The goods come from there. Please choose another location.
fault-reason = Please give a reason, in at most { $max } characters.
fault-takes_too_much = { $counter ->
    [on_hand] You cannot take { $quantity }: only { $there } are on hand.
    [safety] You cannot take { $quantity }: only { $there } are kept as safety stock.
   *[other] You cannot take { $quantity }: only { $there } are expected.
}
fault-adds_too_much = That would be too many: { $there } are there, and at most { $max } can be.
fault-too_many_together = That is too many together with the other lines of this article.
fault-no_such_line = The order has no such line.
fault-ships_too_much = Only { $left } are left to ship.
fault-holder = Please enter a name of at most { $max } characters, without spaces.
fault-event_position = This is not a position.
fault-no_location = There is no location yet to which the quantities could go. Please make one first.
fault-job_ended = The job has ended, so it cannot be stopped.

# Rows of a file. The line and the column stand beside it; what is in quotes is what stands in the file.
fault-empty_file = The file is empty. Its first row must name the columns.
fault-utf16 = The file is in UTF-16. Please save it as UTF-8 (in Excel: “CSV UTF-8”).
fault-not_by_commas = The columns of the file seem to be separated by { $separator ->
    [tabs] tabs
   *[semicolons] semicolons
}. Please save it with commas between them, and with a point in prices, such as 12.50.
fault-no_column = The file has no such column. Is it a CSV of products?
fault-column_twice = The file has this column twice.
fault-not_jsonl = The file does not begin with a JSON object. Is it JSONL?
fault-open_row = The row that begins here is longer than { $mib } MiB. Is a quote not closed?
fault-long_line = This line is longer than { $mib } MiB.
fault-not_utf8 = This is not UTF-8. Please save the file as UTF-8 (in Excel: “CSV UTF-8”).
fault-not_json = This is not valid JSON, at column { $column }: { $words }.
fault-wrong_member = This cannot be read: { $words }.
fault-line_type = “{ $text }” is not known; it must be product, category or location.
fault-cell_count = This row has { $count ->
    [one] one cell
   *[other] { $count } cells
}; the header has { $columns }.
fault-not_whole = “{ $text }” is not a whole number from 0 on.
fault-not_price = { $decimals ->
    [0] “{ $text }” is not a price: a number without decimals.
   *[other] “{ $text }” is not a price: a number with at most { $decimals } decimals, after a point.
}
fault-not_flag = “{ $text }” is neither true nor false.
fault-not_status = “{ $text }” is not one of active, draft, archived.
fault-not_policy = “{ $text }” is neither deny nor continue.
fault-option_gap = This option has a name, but the one before it has none.
fault-options_differ = These names differ from those in the first row of the product.
fault-option_nameless = This option has a value, but no name in the first row of the product.
fault-left_out = Left out with its product: see line { $line }.
fault-product_apart = This product is in the file before. All of a product must stand together.
fault-code_before = This code is in the file before.
fault-location_twice = This location is there twice for the same variant.
fault-category_path = Please write small letters, digits and single hyphens, with slashes between the levels, such as men/tops.
fault-new_product_needs = A new product needs this.
fault-new_sku_needs = A new variant needs this.
fault-sku_of_another = { $sku } belongs to another product.
fault-skus_together = The product would have { $count } variants; at most { $max } are allowed.
fault-same_sku = This is the same variant as another one of the file.
fault-sku_option_count = { $sku } has { $count ->
    [one] one value
   *[other] { $count } values
}; the product has { $options ->
    [one] one option
   *[other] { $options } options
}.
fault-skus_alike = { $first } and { $second } have the same options.
fault-units_promised = { $count } are promised already, so there cannot be fewer.
fault-changed_by_others = Others changed this again and again at the same time. Please import it once more.

# What fields are called above a form
label-active = Active
label-alt = Description of the picture
label-attributes = Facts
label-backorder-limit = Backorder limit
label-barcode = Barcode
label-before = Show today’s price
label-by = Change all prices
label-category = Category
label-category-id = Category
label-city = City
label-code = Code
label-company = Company
label-compare-at-price = Price before
label-counted = On hand
label-counter = What
label-country = Country
label-current-password = Current password
label-delta = Change
label-description-html = Description
label-disabled = Disabled
label-dry-run = Only check it
label-email = E-mail address
label-expires-at = Ends after
label-file = File
label-from = From
label-handle = Handle
label-height = Height
label-holder = Customer
label-image-url = Address of the picture
label-images = Pictures
label-in-stock = In stock
label-is-default = Default
label-latitude = Latitude
label-line1 = Street and number
label-line2 = Apartment, floor
label-location = Location
label-longitude = Longitude
label-low = Low stock
label-low-stock-threshold = Low from
label-name = Name
label-new-password = New password
label-option = Option
label-option1 = Option 1
label-option2 = Option 2
label-option3 = Option 3
label-options = Options
label-parent-id = Within
label-partial = What is left
label-password = Password
label-phone = Phone
label-position = Position
label-postal-code = ZIP code
label-price = Price
label-price-max = Price to
label-price-min = Price from
label-priority = Priority
label-product = Product
label-product-type = Type
label-q = Search
label-quantity = Quantity
label-reason = Reason
label-region = State or region
label-remove = Remove
label-requires-shipping = Needs shipping
label-role = Role
label-round = Round
label-save = Save this address
label-scopes = Rights
label-seo-description = Description for search engines
label-seo-title = Title for search engines
label-session = Device
label-show = Show
label-sku = SKU
label-skus = Variants
label-slug = Name in addresses
label-sold-out = Sold out
label-sort = Sort by
label-state = State
label-status = Status
label-stock = Stock
label-street = Street
label-subject = Of whom
label-sure = Sure
label-tag = Tag
label-unit = By
label-tags = Tags
label-taxable = Taxable
label-title = Title
label-to = To
label-url = Address of the picture
label-vendor = Brand
label-weight-grams = Weight
label-width = Width
