-- Who asks about a job names it, and its site only where several have a job of that name: the job leads in these.
DROP INDEX exceptions_by_job;
CREATE INDEX exceptions_by_job ON exceptions (job, raised_ms);
DROP INDEX steps_by_job;
CREATE INDEX steps_by_job ON steps (job, ts_ms);
DROP INDEX queue_items_by_job;
-- Its key follows by itself; with a longer index the planner would read the whole queue.
CREATE INDEX queue_items_by_job ON queue_items (job);
CREATE INDEX usage_by_job ON usage (job, step);
CREATE INDEX checks_by_job ON checks (job, step);
CREATE INDEX job_steps_by_job ON job_steps (job, ordinal);
CREATE INDEX inspections_by_job ON inspections (job, step);
CREATE INDEX invoice_lines_by_job ON invoice_lines (job, line);
