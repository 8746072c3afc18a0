ALTER TABLE jobs DROP COLUMN fault;
ALTER TABLE job_errors DROP COLUMN arguments;
ALTER TABLE job_errors DROP COLUMN code;
