DROP TABLE signing_keys, deliveries, cart_lines;
