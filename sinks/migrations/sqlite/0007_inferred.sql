-- When a step was worked on by what its tools say, where nobody clocks; nulls where nothing is inferred.
ALTER TABLE job_steps ADD COLUMN inferred_started_ms INTEGER;
ALTER TABLE job_steps ADD COLUMN inferred_ended_ms INTEGER;
ALTER TABLE job_steps ADD COLUMN confidence REAL;       -- 0 to 1
ALTER TABLE job_steps ADD COLUMN inferred_from TEXT;    -- tags, booking, expected readings, tool use

ALTER TABLE staged_job_steps ADD COLUMN inferred_started_ms;
ALTER TABLE staged_job_steps ADD COLUMN inferred_ended_ms;
ALTER TABLE staged_job_steps ADD COLUMN confidence;
ALTER TABLE staged_job_steps ADD COLUMN inferred_from;
