-- Where an order went is kept when its owner's account goes: a shop must be able to tell where it sent what it sold. Whether there is
-- an order the inventory alone knows, so of what is there it is asked at once.

ALTER TABLE deliveries DROP CONSTRAINT deliveries_user_id_fkey;
-- When it is looked at whether there is an order; NULL: there is one. What says nothing of it, as what is here and what processes of
-- the version before write while they run on, is asked at once.
ALTER TABLE deliveries ADD COLUMN expires_at timestamptz DEFAULT '1970-01-01 00:00:00+00';
CREATE INDEX deliveries_expiry_idx ON deliveries (expires_at) WHERE expires_at IS NOT NULL;
