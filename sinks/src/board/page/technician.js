// The page of one technician: what is in work, with what the tool in hand reads against its limits; what comes next; what
// is done. It is told of each change, and never asks.

import { NAME_FIELD, actAs } from "./actor.js";
import { makeDone, makeNext, makeWork, runWork, updateDone, updateNext, updateWork } from "./cards.js";
import { askFor } from "./dialog.js";
import { hearMoment, momentNow } from "./moment.js";
import { keep, setAttribute, setText, time } from "./words.js";

/** Without a sign of life for so long the line counts as lost; the service gives one each 5 s. */
const SILENCE_MS = 12_000;
const RECONNECT_MS = 2_000;
/** A line may break for a moment before the page says so. */
const GRACE_MS = 1_500;
/** Steps that are done and are shown. */
const DONE_MAX = 8;

const technician = decodeURIComponent(location.pathname.split("/").at(-1));
const lists = { work: document.getElementById("work"), next: document.getElementById("next"), past: document.getElementById("past") };

let heard = performance.now();
let broken = null;
let tried = 0;
let source = null;
let told = false;

function connect() {
  source?.close();
  tried = performance.now();
  source = new EventSource(`../api/v1/technicians/${encodeURIComponent(technician)}/live`);
  source.onopen = alive;
  source.addEventListener("heartbeat", (event) => {
    alive();
    hearMoment(JSON.parse(event.data).at_ms);
  });
  source.onmessage = (event) => {
    alive();
    told = true;
    show(JSON.parse(event.data).steps);
    run();
  };
  source.onerror = () => {
    broken ??= performance.now();
    // After an answer that is no stream (503 when all seats are taken) a browser does not try again.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_MS);
    run();
  };
}

function alive() {
  heard = performance.now();
  broken = null;
}

function show(steps) {
  const key = ({ site, job, step }) => JSON.stringify([site, job, step]);
  const are = (...states) => steps.filter((step) => states.includes(step.state));
  const work = are("active", "paused");
  const next = are("assigned", "reworked", "ready", "planned");
  const done = are("done", "qa_hold", "closed").sort((a, b) => (b.ended_ms ?? 0) - (a.ended_ms ?? 0));
  keep(lists.work, work, key, makeWork, updateWork);
  keep(lists.next, next, key, makeNext, updateNext);
  keep(lists.past, done.slice(0, DONE_MAX), key, makeDone, updateDone);
  document.getElementById("no-work").hidden = work.length > 0;
  document.getElementById("next-part").hidden = next.length === 0;
  document.getElementById("past-part").hidden = done.length === 0;
  const beyond = document.getElementById("past-beyond");
  beyond.hidden = done.length <= DONE_MAX;
  setText(beyond, `and ${done.length - DONE_MAX} before`);
}

/** Once a second: times run on, and the line is watched. */
function run() {
  const now = performance.now();
  const silent = now - heard > SILENCE_MS;
  const lost = silent || (broken !== null && now - broken > GRACE_MS);
  // A line can die without a word, as when the radio link goes.
  if (silent && now - tried > SILENCE_MS) connect();
  const connection = lost ? "lost" : told ? "live" : "connecting";
  setAttribute(document.documentElement, "data-connection", connection);
  setAttribute(document.getElementById("bar"), "data-tone", connection === "lost" ? "lost" : "quiet");
  const words = { live: "Connected to Andon", lost: "Connection lost: what you see is not now", connecting: "Connecting to Andon" };
  setText(document.getElementById("bar-text"), words[connection]);
  setText(document.getElementById("link"), { live: "live", lost: "connection lost", connecting: "connecting" }[connection]);
  const now_ms = momentNow();
  if (now_ms === null) return;
  // What nobody has confirmed does not run on.
  if (connection === "live") setText(document.getElementById("as-of"), time(now_ms));
  for (const item of lists.work.children) runWork(item, now_ms, connection === "live");
}

document.getElementById("change").addEventListener("click", async () => {
  const said = await askFor("Who are you?", [{ ...NAME_FIELD, label: "Your name or number" }], "That is me");
  if (said) location.href = encodeURIComponent(said.actor);
});
actAs(technician);
setText(document.getElementById("name"), technician);
document.title = `${technician} · Andon`;
connect();
setInterval(run, 1000);
