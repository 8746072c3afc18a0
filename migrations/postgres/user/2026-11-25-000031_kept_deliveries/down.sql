DROP INDEX deliveries_expiry_idx;
ALTER TABLE deliveries DROP COLUMN expires_at;
DELETE FROM deliveries WHERE user_id NOT IN (SELECT id FROM users);
ALTER TABLE deliveries ADD CONSTRAINT deliveries_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
