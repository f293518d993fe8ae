-- Who asks about a job names it, and its site only where several have a job of that name: the job leads in these.
DROP INDEX exceptions_by_job;
CREATE INDEX exceptions_by_job ON exceptions (job, raised);
DROP INDEX steps_by_job;
CREATE INDEX steps_by_job ON steps (job, ts);
DROP INDEX queue_items_by_job;
CREATE INDEX queue_items_by_job ON queue_items (job, queue, number);
CREATE INDEX usage_by_job ON usage (job, step);
CREATE INDEX checks_by_job ON checks (job, step);
CREATE INDEX job_steps_by_job ON job_steps (job, ordinal);
CREATE INDEX inspections_by_job ON inspections (job, step);
CREATE INDEX invoice_lines_by_job ON invoice_lines (job, line);
