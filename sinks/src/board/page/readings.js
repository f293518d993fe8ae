// What a tool read last, against its limits: the value, the band in which it should be, and in words whether it is; and
// how many readings are still missing.

import { element, number, setAttribute, setText, span, unit } from "./words.js";

const announcement = document.getElementById("announcement");
/** Up to so many readings each has a mark of its own. */
const MARKS_MAX = 16;

const VERDICT = { in: "in limits", low: "too low", high: "too high", none: "nothing read yet", free: "no limits" };
const SIGN = { in: "✓", low: "▼", high: "▲", none: "…", free: "" };

/** How the newest reading stands to its limits. */
function verdict({ newest }) {
  if (!newest) return "none";
  if (newest.within_spec === null) return "free";
  if (newest.within_spec) return "in";
  return newest.spec_min !== null && newest.value < newest.spec_min ? "low" : "high";
}

/** The least and the most that the bar shows: the band in its midst, or what there is of it. */
function scale(min, max) {
  if (min !== null && max !== null) {
    const margin = (max - min || Math.abs(max) || 1) / 2;
    return [min - margin, max + margin];
  }
  const limit = min ?? max;
  const margin = Math.abs(limit) / 2 || 1;
  return min === null ? [limit - 2 * margin, limit + margin] : [limit - margin, limit + 2 * margin];
}

export function makeReading() {
  const parts = {
    name: element("span", "metric"),
    value: element("b", "value"),
    unit: element("span", "unit"),
    verdict: element("b", "verdict"),
    band: element("i", "band"),
    needle: element("i", "needle"),
    min: element("span", "limit"),
    max: element("span", "limit"),
    tool: element("span", "tool"),
    marks: element("span", "marks"),
    missing: element("span", "missing"),
  };
  parts.gauge = element("div", "gauge", parts.band, parts.needle, parts.min, parts.max);
  setAttribute(parts.gauge, "role", "meter");
  setAttribute(parts.marks, "aria-hidden", "true");
  const item = element(
    "li", "reading",
    element("div", "reading-head", parts.name, parts.verdict),
    element("div", "reading-value", parts.value, parts.unit, parts.tool),
    parts.gauge,
    element("div", "reading-count", parts.marks, parts.missing),
  );
  item.parts = parts;
  return item;
}

export function updateReading(item, one) {
  const { parts } = item;
  const { newest } = one;
  const [min, max] = newest ? [newest.spec_min, newest.spec_max] : [one.min, one.max];
  const state = verdict(one);
  const name = [one.metric.replaceAll("_", " "), one.joint].filter((part) => part).join(" ");
  const before = item.shown;
  item.shown = one;
  setAttribute(item, "data-metric", one.metric);
  setAttribute(item, "data-verdict", state);
  setText(parts.name, name);
  setText(parts.value, newest ? number(newest.value) : "–");
  setText(parts.unit, newest ? unit(newest.unit) : "");
  setText(parts.verdict, `${SIGN[state]} ${VERDICT[state]}`.trim());
  parts.gauge.hidden = min === null && max === null;
  if (!parts.gauge.hidden) showGauge(parts, newest?.value ?? null, min, max);
  const limits = min === null ? `at most ${max}` : max === null ? `at least ${min}` : `${min} to ${max}`;
  setAttribute(parts.gauge, "aria-label", `${name}, allowed ${limits}`);
  setAttribute(parts.gauge, "aria-valuetext", newest ? `${number(newest.value)} ${unit(newest.unit)}, ${VERDICT[state]}` : VERDICT.none);
  showCount(parts, one);
  // What is out of its limits is said aloud, once a reading.
  const is_new = before && newest && before.newest?.ts_ms !== newest.ts_ms;
  if (is_new && (state === "low" || state === "high")) {
    setText(announcement, `${name} ${number(newest.value)} ${unit(newest.unit)}, ${VERDICT[state]}`);
  }
}

function showGauge(parts, value, min, max) {
  const [from, to] = scale(min, max);
  const place = (at) => `${(100 * Math.min(1, Math.max(0, (at - from) / (to - from)))).toFixed(2)}%`;
  parts.band.style.setProperty("--from", min === null ? "0%" : place(min));
  parts.band.style.setProperty("--to", max === null ? "100%" : place(max));
  parts.needle.hidden = value === null;
  parts.needle.style.setProperty("--at", value === null ? "0%" : place(value));
  for (const [label, limit] of [[parts.min, min], [parts.max, max]]) {
    label.hidden = limit === null;
    if (limit === null) continue;
    label.style.setProperty("--at", place(limit));
    setText(label, number(limit));
  }
  setAttribute(parts.gauge, "aria-valuemin", from);
  setAttribute(parts.gauge, "aria-valuemax", to);
  setAttribute(parts.gauge, "aria-valuenow", value === null ? null : Math.min(to, Math.max(from, value)));
}

function showCount(parts, { expected, within, counted, missing }) {
  const bad = counted - within;
  const rejects = bad > 0 ? `, ${bad} bad` : "";
  const of = expected === null ? `${within} good` : `${Math.min(within, expected)} of ${expected} good`;
  const lacks = missing > 0 ? `, ${missing} missing` : missing === 0 ? ", complete" : "";
  setText(parts.missing, of + lacks + rejects);
  setAttribute(parts.missing, "data-missing", missing ?? "");
  const marks = expected !== null && expected <= MARKS_MAX ? "●".repeat(expected - missing) + "○".repeat(missing) : "";
  setText(parts.marks, marks);
}

/** Lets ages run on. */
export function runReading(item, now_ms) {
  const { newest } = item.shown;
  setText(item.parts.tool, newest ? `${newest.tool}, ${span(now_ms - newest.ts_ms)} ago` : "");
}
