// Cards of a technician's steps: a large one for what is in work, with its time, readings, resources and buttons; a small
// one for what comes next; a line for what is done.

import { makeDoing, updateDoing } from "./doing.js";
import { makeReading, runReading, updateReading } from "./readings.js";
import { STEP_WORD } from "./steps.js";
import { clock, element, hour, keep, quantity, setAttribute, setText, unit } from "./words.js";

/** The bar of time ends at this share of the standard; over it, it is full. */
const BAR_END = 1.5;

const words = (text) => text.replaceAll("_", " ");

function makeHead(name) {
  const parts = { state: element("b", "card-state"), title: element("h3"), where: element("p", "where") };
  const item = element("li", name, element("div", "card-head", parts.state, parts.title), parts.where);
  item.parts = parts;
  return item;
}

function updateHead(item, step) {
  const { parts } = item;
  item.shown = step;
  setAttribute(item, "data-job", step.job);
  setAttribute(item, "data-step", step.step);
  setAttribute(item, "data-state", step.state);
  setText(parts.state, STEP_WORD[step.state] ?? step.state);
  setText(parts.title, step.operation ? words(step.operation) : step.step);
  const promised = step.promised_ms === null ? null : `promised ${hour(step.promised_ms, Date.now())}`;
  const where = [step.bay, `${step.job} ${step.step}`, step.vehicle, promised];
  setText(parts.where, where.filter((part) => part).join(" · "));
}

export function makeWork() {
  const item = makeHead("work-card");
  Object.assign(item.parts, {
    why: element("p", "why"),
    elapsed: element("b", "elapsed"),
    standard: element("span", "standard"),
    meter: element("div", "meter", element("i", "fill"), element("i", "mark")),
    readings: element("ul", "readings"),
    resources: element("ul", "resources"),
    as_of: element("p", "counted"),
  });
  const { parts } = item;
  setAttribute(parts.meter, "role", "meter");
  setAttribute(parts.meter, "aria-valuemin", "0");
  setAttribute(parts.meter, "aria-label", "worked against standard time");
  setAttribute(parts.readings, "aria-label", "Readings against their limits");
  setAttribute(parts.resources, "aria-label", "Resources used of planned");
  item.append(
    parts.why,
    element("div", "worked", parts.elapsed, parts.standard),
    parts.meter,
    parts.readings,
    parts.resources,
    parts.as_of,
    makeDoing(item, ["pause", "resume", "finish"]),
  );
  return item;
}

export function updateWork(item, step) {
  updateHead(item, step);
  const { parts } = item;
  setText(parts.why, step.state === "paused" ? (step.reason ?? "") : "");
  parts.why.hidden = !parts.why.textContent;
  const { expected = [], resources = [] } = step;
  // A card may expect the same twice.
  const keyed = expected.map((one, place) => ({ ...one, place }));
  keep(parts.readings, keyed, ({ metric, joint, place }) => JSON.stringify([metric, joint, place]), makeReading, updateReading);
  keep(parts.resources, resources, (one) => one.resource, makeResource, updateResource);
  const counts = step.as_of_ms !== null && (expected.length > 0 || resources.length > 0);
  setText(parts.as_of, counts ? `Counted and booked up to ${hour(step.as_of_ms)}; readings are as they come` : "");
  updateDoing(item, step);
}

/** Lets the time run on to `now_ms`, if that is known. */
export function runWork(item, now_ms, is_live) {
  const { parts, shown: step } = item;
  for (const reading of parts.readings.children) runReading(reading, now_ms);
  if (!is_live && parts.elapsed.textContent) return;
  const running_s = step.active_since_ms === null ? 0 : Math.max(0, now_ms - step.active_since_ms) / 1000;
  const worked_s = step.worked_s + running_s;
  const standard_s = step.standard_s ?? 0;
  const share = standard_s > 0 ? worked_s / standard_s : null;
  setText(parts.elapsed, clock(worked_s));
  const left_s = standard_s - Math.floor(worked_s);
  const margin = left_s < 0 ? `${clock(-left_s)} over` : `${clock(left_s)} left`;
  setText(parts.standard, share === null ? "no standard time" : `of ${clock(standard_s)}, ${margin}`);
  parts.meter.hidden = share === null;
  setAttribute(parts.meter, "data-share", share > BAR_END ? "far" : share > 1 ? "over" : "within");
  parts.meter.style.setProperty("--share", String(Math.min(share ?? 0, BAR_END) / BAR_END));
  setAttribute(parts.meter, "aria-valuemax", Math.round(standard_s * BAR_END));
  setAttribute(parts.meter, "aria-valuenow", Math.round(Math.min(worked_s, standard_s * BAR_END)));
  setAttribute(parts.meter, "aria-valuetext", `${clock(worked_s)} of ${clock(standard_s)}`);
}

function makeResource() {
  const parts = { name: element("span"), used: element("b"), bar: element("div", "meter", element("i", "fill")) };
  const item = element("li", "resource", parts.name, parts.used, parts.bar);
  setAttribute(parts.bar, "role", "meter");
  setAttribute(parts.bar, "aria-valuemin", "0");
  item.parts = parts;
  return item;
}

function updateResource(item, one) {
  const { parts } = item;
  const share = one.planned > 0 ? one.quantity / one.planned : null;
  const used = one.planned === null ? quantity(one.quantity) : `${quantity(one.quantity)} of ${quantity(one.planned)}`;
  const over = share > 1 ? ", more than planned" : "";
  setAttribute(item, "data-resource", one.resource);
  setText(parts.name, words(one.resource));
  setText(parts.used, `${used} ${unit(one.unit)}`.trim() + over);
  parts.bar.hidden = share === null;
  setAttribute(parts.bar, "data-share", share > 1 ? "over" : "within");
  parts.bar.style.setProperty("--share", String(Math.min(share ?? 0, 1)));
  setAttribute(parts.bar, "aria-label", words(one.resource));
  setAttribute(parts.bar, "aria-valuemax", one.planned);
  setAttribute(parts.bar, "aria-valuenow", Math.min(one.quantity, one.planned ?? 0));
  setAttribute(parts.bar, "aria-valuetext", parts.used.textContent);
}

export function makeNext() {
  const item = makeHead("next-card");
  item.parts.why = element("p", "why");
  item.append(item.parts.why, makeDoing(item, ["start"]));
  return item;
}

export function updateNext(item, step) {
  updateHead(item, step);
  setText(item.parts.why, step.reason ?? "");
  item.parts.why.hidden = !step.reason;
  updateDoing(item, step);
}

export function makeDone() {
  const item = makeHead("done-card");
  item.parts.why = element("p", "why");
  item.append(item.parts.why);
  return item;
}

export function updateDone(item, step) {
  updateHead(item, step);
  const { worked_s, standard_s, reason } = step;
  const took = standard_s === null ? `took ${clock(worked_s)}` : `took ${clock(worked_s)} of ${clock(standard_s)}`;
  setText(item.parts.why, [took, reason].filter((part) => part).join("; "));
}
