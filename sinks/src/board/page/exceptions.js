// The list of exceptions: what is wrong, for how long, what to do, and on what evidence.

import { makeOperator, updateOperator } from "./operator.js";
import { SEVERITY_RANK, element, icon, keep, number, setAttribute, setIcon, setText, span, time } from "./words.js";

const open = document.getElementById("open");
const held = document.getElementById("held");
const closed = document.getElementById("closed");
const filter = document.getElementById("filter");
const announcement = document.getElementById("announcement");
/** Closed ones that are shown. */
const CLOSED_MAX = 20;

let only = null;
let announced = null;
let again = () => {};

/** Shows the exceptions of one bay alone; `changed` is called when that choice changes. */
export function showOnly(site, bay, changed) {
  only = { site, bay };
  again = changed;
  changed();
  document.getElementById("exceptions").scrollIntoView({ block: "nearest" });
  filter.focus({ preventScroll: true });
}

filter.addEventListener("click", () => {
  only = null;
  again();
});

/** Shows `exceptions`; `open_total` is the service's own count, as the list is bounded. */
export function showExceptions(exceptions, open_total) {
  const wanted = exceptions.filter((one) => !only || (one.site === only.site && one.bay === only.bay));
  const isOpen = (one) => one.state === "active" || one.state === "latched";
  const rank = (one) => SEVERITY_RANK[one.severity] ?? 9;
  const worst = (a, b) => rank(a) - rank(b) || b.raised_ms - a.raised_ms;
  const openOnes = wanted.filter(isOpen).sort(worst);
  const heldOnes = wanted.filter((one) => one.state === "suppressed");
  const closedOnes = wanted.filter((one) => one.state === "cleared").slice(0, CLOSED_MAX);
  keep(open, openOnes, (one) => one.id, make, update);
  keep(held, heldOnes, (one) => one.id, make, update);
  keep(closed, closedOnes, (one) => one.id, make, update);
  document.getElementById("none-open").hidden = openOnes.length > 0;
  document.getElementById("held-title").hidden = heldOnes.length === 0;
  document.getElementById("closed-title").hidden = closedOnes.length === 0;
  const total = only ? openOnes.length : Math.max(open_total, openOnes.length);
  setText(document.getElementById("open-count"), `${total} open`);
  setAttribute(document.getElementById("open-count"), "data-some", total > 0 ? "yes" : "no");
  setText(document.getElementById("jump-count"), String(total));
  filter.hidden = !only;
  if (only) {
    setText(filter, `${only.bay} ✕`);
    setAttribute(filter, "aria-label", `Only ${only.bay} is shown; show all`);
  }
  announce(exceptions.filter((one) => isOpen(one) && one.severity === "critical"));
}

/** Lets ages run on to `now_ms`. */
export function runExceptions(now_ms) {
  for (const item of [...open.children, ...held.children]) {
    setText(item.parts.age, span(now_ms - item.shown.raised_ms));
  }
  for (const item of closed.children) {
    const { cleared_ms, raised_ms } = item.shown;
    setText(item.parts.age, `${span(now_ms - (cleared_ms ?? raised_ms))} ago`);
  }
}

/** Reads new critical ones aloud, but not those that were there when the page opened. */
function announce(critical) {
  const now = new Set(critical.map((one) => one.id));
  const fresh = announced ? critical.filter((one) => !announced.has(one.id)) : [];
  announced = now;
  if (fresh.length > 0) setText(announcement, fresh.map((one) => `Critical, ${one.bay}: ${one.message}`).join(". "));
}

function make() {
  const parts = {
    icon: icon("severity-low"),
    severity: element("span", "severity"),
    bay: element("b", "where"),
    tool: element("span", "tool"),
    age: element("span", "age"),
    message: element("p", "message"),
    response: element("p", "response"),
    evidence: element("dl", "evidence"),
    raw: element("pre", "raw"),
  };
  const details = element("details", "", element("summary", "", "Evidence"), parts.evidence, parts.raw);
  const head = element("div", "head", parts.icon, parts.severity, parts.bay, parts.tool, parts.age);
  const item = element("li", "exception", head, parts.message, parts.response, details);
  item.parts = parts;
  details.before(makeOperator(item));
  // Evidence is written only when it is looked at.
  details.addEventListener("toggle", () => {
    if (details.open) showEvidence(item);
  });
  return item;
}

function update(item, one) {
  const { parts } = item;
  const changed = !item.shown || item.shown.state !== one.state || item.shown.value !== one.value;
  item.shown = one;
  setAttribute(item, "data-exception", one.id);
  setAttribute(item, "data-severity", one.severity);
  setAttribute(item, "data-state", one.state);
  setAttribute(item, "data-operator", one.operator_state);
  setAttribute(item, "data-rule", one.rule);
  setIcon(parts.icon, `severity-${one.severity in SEVERITY_RANK ? one.severity : "low"}`);
  setText(parts.severity, one.state === "latched" ? `${one.severity}, latched` : one.severity);
  setText(parts.bay, one.bay || one.site);
  setText(parts.tool, one.tool);
  setText(parts.message, one.message);
  setText(parts.response, one.response);
  parts.response.hidden = !one.response;
  updateOperator(item, one, time);
  if (changed && item.querySelector("details").open) showEvidence(item);
}

function showEvidence(item) {
  const { parts, shown: one } = item;
  const limits = [one.limit_min, one.limit_max].map((limit) => (limit === null ? "…" : number(limit))).join(" to ");
  const rows = [
    ["rule", one.rule],
    ["value", one.value === null ? null : number(one.value)],
    ["limits", one.limit_min === null && one.limit_max === null ? null : limits],
    ["job", one.job],
    ["step", one.step],
    ["raised", time(one.raised_ms)],
    ["cleared", one.cleared_ms === null ? null : time(one.cleared_ms)],
    ["state", one.state],
    ["held back by", one.evidence?.cause ?? null],
    ["site", one.site],
    ["id", one.id],
  ].filter(([, value]) => value !== null && value !== "");
  parts.evidence.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  parts.raw.textContent = one.evidence === null ? "" : JSON.stringify(one.evidence, null, 1);
  parts.raw.hidden = one.evidence === null;
}
