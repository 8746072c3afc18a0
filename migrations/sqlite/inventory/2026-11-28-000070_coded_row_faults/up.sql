-- What is wrong with a row of an import has a code and arguments, so that it can be told in the shop's language. What was written
-- before, and what a process of the version before still writes, has its English words alone.
ALTER TABLE job_errors ADD COLUMN code TEXT NOT NULL DEFAULT 'other';
ALTER TABLE job_errors ADD COLUMN arguments TEXT NOT NULL DEFAULT '{}';
UPDATE job_errors SET arguments = json_object('words', message);

-- The row from which on a file could not be read.
ALTER TABLE jobs ADD COLUMN fault TEXT;
