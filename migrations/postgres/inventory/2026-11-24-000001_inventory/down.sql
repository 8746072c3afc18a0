DROP TABLE job_inputs, job_errors, jobs, outbox_head, outbox, idempotency_keys, holders, reservation_lines, reservations,
    stock_ledger, stock, skus, product_words, product_tags, products, locations, categories;
