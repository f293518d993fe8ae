-- When a step was worked on by what its tools say, where nobody clocks; nulls where nothing is inferred.
ALTER TABLE job_steps ADD COLUMN inferred_started timestamptz;
ALTER TABLE job_steps ADD COLUMN inferred_ended timestamptz;
ALTER TABLE job_steps ADD COLUMN confidence double precision;
ALTER TABLE job_steps ADD COLUMN inferred_from text;
COMMENT ON COLUMN job_steps.inferred_started IS 'When it was worked on by what its tools say, until its clocked end';
COMMENT ON COLUMN job_steps.confidence IS 'How sure that is, from 0 to 1';
COMMENT ON COLUMN job_steps.inferred_from IS 'tags, booking, expected readings, tool use';

ALTER TABLE staged_job_steps ADD COLUMN inferred_started timestamptz;
ALTER TABLE staged_job_steps ADD COLUMN inferred_ended timestamptz;
ALTER TABLE staged_job_steps ADD COLUMN confidence double precision;
ALTER TABLE staged_job_steps ADD COLUMN inferred_from text;
