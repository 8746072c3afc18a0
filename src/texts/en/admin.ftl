# The admin's frame
admin-to-shop = To the shop
admin-dashboard = Dashboard
admin-orders = Orders
admin-products = Products
admin-categories = Categories
admin-stock = Stock
admin-locations = Locations
admin-imports = Import & export
admin-changes = Changes
admin-users = Users
admin-keys = API keys
admin-audit = Audit log
admin-system = System
