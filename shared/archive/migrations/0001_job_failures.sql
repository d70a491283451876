-- One row for each death of a job: a job that is redriven and dies again has another fence.
CREATE TABLE job_failures (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prefix        TEXT COLLATE "C" NOT NULL,  -- TIDEGATE_PREFIX: deployments may share a database
    queue_name    TEXT COLLATE "C" NOT NULL,
    job_id        TEXT COLLATE "C" NOT NULL,  -- as the API shows it, with its queue
    fence         BIGINT NOT NULL,            -- number of the last delivery; 0: the record is damaged
    failed_at     TIMESTAMPTZ NOT NULL,       -- store time
    job_type      TEXT,
    job_key       TEXT,
    reason        TEXT,
    error_type    TEXT,
    error_message TEXT,
    attempts      INTEGER NOT NULL,
    crashes       INTEGER NOT NULL,
    redrives      INTEGER NOT NULL,
    job_data      JSONB NOT NULL,             -- type, payload, options, errors: what can be searched
    record        BYTEA NOT NULL,             -- the same as Redis had it, byte by byte: what is redriven
    archived_at   TIMESTAMPTZ NOT NULL,
    redriven_at   TIMESTAMPTZ,                -- when its job was made again from this row
    CONSTRAINT job_failures_one_row_a_death UNIQUE (prefix, job_id, fence, failed_at)
);
