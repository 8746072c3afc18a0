DROP TABLE signing_keys;
DROP TABLE deliveries;
DROP TABLE cart_lines;
