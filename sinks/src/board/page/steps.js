// A step of a job, as a chip: its state in colour and in words, what is done, where, by whom and for how long.

import { makeDoing, updateDoing } from "./doing.js";
import { clock, element, hour, setAttribute, setText, showTechnician } from "./words.js";

export const STEP_WORD = {
  planned: "planned",
  ready: "ready",
  assigned: "assigned",
  active: "active",
  paused: "paused",
  done: "done",
  qa_hold: "QA hold",
  reworked: "rework",
  closed: "closed",
};

export function makeStep() {
  const parts = {
    state: element("b", "step-state"),
    operation: element("span", "step-operation"),
    bay: element("span"),
    technician: element("a"),
    time: element("span", "step-time"),
    why: element("span", "step-why"),
  };
  const item = element(
    "li", "step-of-job",
    element("div", "", parts.state, parts.operation),
    element("div", "", element("span", "step-who", parts.bay, parts.technician), parts.time),
    parts.why,
  );
  item.parts = parts;
  item.append(makeDoing(item, ["start", "pause", "resume", "finish", "sign_off", "rework"]));
  return item;
}

export function updateStep(item, step) {
  const { parts } = item;
  item.shown = step;
  setAttribute(item, "data-step", step.step);
  setAttribute(item, "data-state", step.state);
  setText(parts.state, STEP_WORD[step.state] ?? step.state);
  setText(parts.operation, [step.step, step.operation?.replaceAll("_", " ")].filter((part) => part).join(" "));
  const nobody = step.state === "closed" ? "" : "nobody yet";
  setText(parts.bay, step.bay || (step.technician ? "" : nobody));
  showTechnician(parts.technician, step.technician);
  updateDoing(item, step);
  const waits = step.reason ?? (step.waits_for && `waits for ${step.waits_for}`);
  const why = [waits, inferred(step)].filter((part) => part).join("; ");
  setText(parts.why, why);
  parts.why.hidden = !why;
  const all = [parts.operation, parts.state, parts.bay, parts.technician, parts.why].map((part) => part.textContent);
  setAttribute(item, "title", all.filter((text) => text).join(", "));
}

/** When it was worked on by what its tools say, where nobody has clocked it, and how sure that is. */
function inferred({ started_ms, inferred_started_ms, inferred_ended_ms, confidence, inferred_from }) {
  if (started_ms !== null || inferred_started_ms === null) return "";
  const from = hour(inferred_started_ms, inferred_ended_ms ?? inferred_started_ms);
  const when = inferred_ended_ms === null ? `since ${from}` : `from ${from} to ${hour(inferred_ended_ms)}`;
  return `not clocked, and worked on ${when}: ${Math.round(confidence * 100)} % sure, by ${inferred_from}`;
}

/** What was worked, of what is standard, up to `now_ms`. */
export function runStep(item, now_ms) {
  const { parts, shown: step } = item;
  const running_s = step.active_since_ms === null ? 0 : Math.max(0, now_ms - step.active_since_ms) / 1000;
  const worked_s = step.worked_s + running_s;
  const standard_s = step.standard_s ?? 0;
  const has_begun = step.started_ms !== null;
  const of = standard_s > 0 ? clock(standard_s) : "";
  setText(parts.time, has_begun ? `${clock(worked_s)}${of && ` of ${of}`}` : of && `takes ${of}`);
  const is_open = step.state === "active" || step.state === "paused";
  setAttribute(item, "data-over", is_open && standard_s > 0 && worked_s > standard_s ? "yes" : "no");
}
