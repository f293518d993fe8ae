// What waits for a person, or for somebody outside: records that nobody has signed, lines of bills that are held, and
// how far what is handed on has come.

import { bills } from "./bills.js";
import { makeDoing, updateDoing } from "./doing.js";
import { momentNow } from "./moment.js";
import { queues } from "./queues.js";
import { element, hour, keep, setAttribute, setText, showSum } from "./words.js";

const records = document.getElementById("record-list");
const sum = document.getElementById("waiting-sum");
/** As many as one answer holds; of further jobs the number is told. */
const JOBS_MAX = 500;

/** Verdicts of what is held. */
const VERDICT_WORD = { unsigned: "to be signed", failed: "not in order" };

export const waiting = {
  async ask(get, of_site) {
    const [open, released, deliveries] = await Promise.all([
      get(`api/v1/jobs?limit=${JOBS_MAX}${of_site}`),
      get(`api/v1/jobs?state=released&limit=${JOBS_MAX}${of_site}`),
      get("api/v1/deliveries"),
    ]);
    return { open, released, deliveries, items: await queues.ask(get, deliveries.newest) };
  },

  show({ open, released, deliveries, items }, site) {
    const { unsigned, others } = showRecords(open, site);
    const held_back = queues.show(deliveries, items);
    const said = [
      ["held", unsigned, "to be signed"],
      ["held", others, "not in order"],
      ["lines", bills.show(released), "held lines of bills"],
      ["late", held_back, held_back === 1 ? "courier waits for a person" : "couriers wait for a person"],
    ].filter(([, amount]) => amount > 0);
    const parts = said.map(([name, amount, words]) => [name, `${amount} ${words}`]);
    showSum(sum, parts.length > 0 ? parts : [["nothing", "Nothing waits for a person"]]);
  },
};

/** Steps that are held, longest first; how many are to be signed, and how many are not in order. */
function showRecords({ jobs, beyond_limit }, only) {
  const several_sites = !only && new Set(jobs.map(({ site }) => site)).size > 1;
  const of = ({ site, job }) => (step) => ({ ...step, site, job, where: several_sites ? site : null });
  const held = jobs.flatMap((job) => job.steps.filter((step) => step.state === "qa_hold").map(of(job)));
  held.sort((a, b) => (a.ended_ms ?? 0) - (b.ended_ms ?? 0));
  keep(records, held, (one) => JSON.stringify([one.site, one.job, one.step]), makeRecord, updateRecord);
  document.getElementById("no-records").hidden = held.length > 0;
  const beyond = document.getElementById("records-beyond");
  beyond.hidden = beyond_limit === 0;
  setText(beyond, `Those of ${beyond_limit} further jobs are not here`);
  const unsigned = held.filter((one) => one.verdict === "unsigned").length;
  return { unsigned, others: held.length - unsigned };
}

function makeRecord() {
  const parts = {
    verdict: element("b", "verdict"),
    step: element("b"),
    since: element("span", "soft since"),
    what: element("p", "soft"),
    why: element("p"),
  };
  const head = element("p", "entry", parts.verdict, parts.step, parts.since);
  const item = element("li", "item", head, parts.what, parts.why);
  item.parts = parts;
  item.append(makeDoing(item, ["sign_off", "rework"]));
  return item;
}

function updateRecord(item, one) {
  const { parts } = item;
  item.shown = one;
  updateDoing(item, one);
  setAttribute(item, "data-verdict", one.verdict);
  setText(parts.verdict, VERDICT_WORD[one.verdict] ?? one.verdict);
  setText(parts.step, `${one.job} ${one.step}`);
  const what = [one.where, one.operation?.replaceAll("_", " "), one.bay, one.technician];
  setText(parts.what, what.filter((part) => part).join(" · "));
  setText(parts.since, one.ended_ms === null ? "" : `since ${hour(one.ended_ms, momentNow() ?? one.ended_ms)}`);
  // That of a record which is in order says no more than its verdict.
  setText(parts.why, one.verdict === "unsigned" ? "" : (one.reason ?? ""));
  parts.why.hidden = !parts.why.textContent;
}
