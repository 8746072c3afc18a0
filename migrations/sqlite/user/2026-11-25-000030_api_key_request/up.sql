-- The hash of the key under which an API key was asked for: asked for twice, it is made once. Older ones have none.
ALTER TABLE api_keys ADD COLUMN request_key BLOB;
CREATE UNIQUE INDEX api_keys_request_idx ON api_keys (created_by, request_key);
