DROP TABLE mails, login_throttle, audit_log, api_keys, one_time_tokens, addresses, sessions, credentials, user_emails, users;
