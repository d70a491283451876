CREATE INDEX job_failures_by_time ON job_failures (prefix, failed_at DESC, id DESC);
CREATE INDEX job_failures_by_age ON job_failures (prefix, archived_at);
CREATE INDEX job_failures_by_payload ON job_failures USING gin (job_data jsonb_path_ops);
