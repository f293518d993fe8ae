// Bills with lines that nobody has posted yet. The lines are asked for when somebody unfolds them.

import { addCommand, makeCommands, named } from "./commands.js";
import { element, keep, quantity, setAttribute, setText, unit } from "./words.js";

const list = document.getElementById("bill-list");

export const bills = {
  /** How many lines are held. */
  show({ jobs, beyond_limit }) {
    const held = jobs.filter((job) => job.lines_held > 0);
    keep(list, held, (job) => JSON.stringify([job.site, job.job]), make, update);
    document.getElementById("no-bills").hidden = held.length > 0;
    const beyond = document.getElementById("bills-beyond");
    beyond.hidden = beyond_limit === 0;
    setText(beyond, `Those of ${beyond_limit} jobs that were handed over before are not here`);
    return held.reduce((sum, job) => sum + job.lines_held, 0);
  },
};

function make() {
  const parts = {
    job: element("b"),
    vehicle: element("span", "soft cut"),
    count: element("span", "since"),
    lines: element("ul", "lines"),
  };
  const details = element("details", "", element("summary", "", "Lines"), parts.lines);
  const item = element("li", "item", element("p", "entry", parts.job, parts.vehicle, parts.count), details);
  item.parts = parts;
  item.details = details;
  details.addEventListener("toggle", () => {
    if (details.open) showLines(item);
  });
  return item;
}

function update(item, job) {
  const { parts } = item;
  const changed = item.shown?.lines_held !== job.lines_held;
  item.shown = job;
  setAttribute(item, "data-job", job.job);
  setText(parts.job, job.job);
  setText(parts.vehicle, [job.site, job.vehicle].filter((part) => part).join(" · "));
  setText(parts.count, job.lines_held === 1 ? "1 line is held" : `${job.lines_held} lines are held`);
  if (changed && item.details.open) showLines(item);
}

async function showLines(item) {
  const { job, site } = item.shown;
  let found;
  try {
    const answer = await fetch(`api/v1/jobs/${encodeURIComponent(job)}/lines?site=${encodeURIComponent(site)}`);
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    found = said.lines.filter((line) => line.state === "held");
  } catch (error) {
    found = [{ line: 0, reason: `The lines cannot be read: ${error.message}` }];
  }
  const make = () => makeLine(item);
  keep(item.parts.lines, found, (line) => String(line.line), make, (entry, line) => {
    entry.shown = line;
    setAttribute(entry.post, "aria-label", `Post line ${line.line} of ${job}`);
    entry.post.hidden = line.line === 0;
    const what = () => `${quantity(line.quantity)} ${unit(line.unit ?? "")} ${line.item.replaceAll("_", " ")}`.replace("  ", " ");
    setText(entry.words, line.line === 0 ? line.reason : `${line.line}: ${what()}: ${line.reason}`);
  });
}

/** A line that is held, until somebody posts it. */
function makeLine(item) {
  const words = element("span");
  const commands = makeCommands();
  const entry = element("li", "", words, commands);
  entry.words = words;
  entry.post = addCommand(commands, "Post", () => ({
    path: `jobs/${named(item.shown.job)}/lines/${entry.shown.line}/post`,
    title: `Post line ${entry.shown.line} of ${item.shown.job}`,
    body: { site: item.shown.site },
    fields: [{ name: "note", label: "Why it may be billed", required: true }],
  }));
  return entry;
}
