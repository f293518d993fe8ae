// The job cards and their steps, in the order of their promised time: what is late, what is held, who does what where.

import { addCommand, makeCommands, named } from "./commands.js";
import { makeStep, runStep, updateStep } from "./steps.js";
import { element, hour, keep, setAttribute, setText, showSum, span } from "./words.js";

const list = document.getElementById("job-list");
const sum = document.getElementById("jobs-sum");
/** Jobs that are shown; of further ones, which are promised later, the number is told. */
const JOBS_MAX = 100;

const STATE_WORD = { accepted: "not begun", started: "in work", ready: "ready" };
/** Promised within so long: it stands out a little. */
const SOON_MS = 900_000;

let several_sites = false;
let answered = null;

export const jobs = {
  ask: (get, of_site) => get(`api/v1/jobs?limit=${JOBS_MAX}${of_site}`),

  show(answer, site) {
    answered = answer;
    several_sites = !site && new Set(answer.jobs.map((job) => job.site)).size > 1;
    const place = (site, job, step) => JSON.stringify([site, job, step]);
    const waits = new Map(answer.queue.map((one) => [place(one.site, one.job, one.step), one.waits_for]));
    for (const job of answer.jobs) {
      for (const step of job.steps) {
        const waits_for = waits.get(place(job.site, job.job, step.step)) ?? null;
        Object.assign(step, { site: job.site, job: job.job, waits_for });
      }
    }
    keep(list, answer.jobs, (job) => JSON.stringify([job.site, job.job]), make, update);
    document.getElementById("no-jobs").hidden = answer.jobs.length > 0;
    const beyond = document.getElementById("jobs-beyond");
    beyond.hidden = answer.beyond_limit === 0;
    setText(beyond, `and ${answer.beyond_limit} more, which are promised later or not at all`);
  },

  /** Lets times run on; what is late follows from them. */
  run(now_ms) {
    if (now_ms === null || answered === null) return;
    for (const item of list.children) run(item, now_ms);
    const are = (name, value) => [...list.children].filter((item) => item.dataset[name] === value).length;
    const said = [
      ["late", are("late", "yes"), "late"],
      ["held", are("held", "yes"), "held"],
      ["ready", are("state", "ready"), "ready to hand over"],
      ["placed", answered.queue.length, "steps to be placed"],
    ].filter(([, amount]) => amount > 0);
    const open = ["open", `${answered.jobs.length + answered.beyond_limit} open`];
    showSum(sum, [open, ...said.map(([name, amount, words]) => [name, `${amount} ${words}`])]);
  },
};

function make() {
  const parts = {
    promised: element("b", "promised"),
    margin: element("span", "margin"),
    job: element("b", "name"),
    state: element("span", "job-state"),
    vehicle: element("span", "vehicle"),
    steps: element("ol", "steps"),
    count: element("summary"),
    way: element("ul", "way"),
  };
  parts.details = element("details", "", parts.count, parts.way);
  parts.commands = makeCommands();
  const item = element(
    "li", "job-line",
    element("div", "promise", parts.promised, parts.margin),
    element("div", "what", element("div", "", parts.job, parts.state), parts.vehicle, parts.details, parts.commands),
    parts.steps,
  );
  item.parts = parts;
  parts.release = addCommand(parts.commands, "Hand over", () => {
    const { site, job, state } = item.shown;
    const reason = { name: "reason", label: "Why it is handed over though not all is done", required: true };
    return {
      path: `jobs/${named(job)}/release`,
      title: `Hand ${job} over`,
      body: { site },
      fields: state === "ready" ? [] : [reason],
    };
  });
  return item;
}

function update(item, job) {
  const { parts } = item;
  item.shown = job;
  setAttribute(item, "data-job", job.job);
  setAttribute(item, "data-state", job.state);
  setAttribute(item, "data-held", job.steps.some((step) => step.state === "qa_hold") ? "yes" : "no");
  setText(parts.job, several_sites ? `${job.site} ${job.job}` : job.job);
  setText(parts.state, STATE_WORD[job.state] ?? job.state);
  setText(parts.vehicle, [job.vehicle, job.customer].filter((part) => part).join(" · "));
  setAttribute(parts.vehicle, "title", parts.vehicle.textContent || null);
  setAttribute(parts.release, "aria-label", `Hand ${job.job} over`);
  parts.release.hidden = job.in_the_way.length > 0;
  // What is in the way of the hand-over is written out only when it is looked at.
  parts.details.hidden = job.in_the_way.length === 0;
  setText(parts.count, `${job.in_the_way.length} in the way of hand-over`);
  keep(parts.way, job.in_the_way, (words) => words, () => element("li"), (line, words) => setText(line, words));
  keep(parts.steps, job.steps, (step) => step.step, makeStep, updateStep);
}

function run(item, now_ms) {
  const { parts, shown: job } = item;
  for (const step of parts.steps.children) runStep(step, now_ms);
  const left_ms = job.promised_ms === null ? null : job.promised_ms - now_ms;
  const is_ready = job.state === "ready";
  const late = left_ms !== null && left_ms < 0;
  setText(parts.promised, left_ms === null ? "no promise" : hour(job.promised_ms, now_ms));
  const past = is_ready ? `${span(-left_ms)} ago` : `late by ${span(-left_ms)}`;
  setText(parts.margin, left_ms === null ? "" : late ? past : `in ${span(left_ms)}`);
  setAttribute(item, "data-late", late && !is_ready ? "yes" : "no");
  setAttribute(item, "data-soon", !late && !is_ready && left_ms !== null && left_ms < SOON_MS ? "yes" : "no");
}
