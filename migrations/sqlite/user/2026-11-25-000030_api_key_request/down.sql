DROP INDEX api_keys_request_idx;
ALTER TABLE api_keys DROP COLUMN request_key;
