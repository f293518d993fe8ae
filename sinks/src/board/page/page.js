// Holds the line to the service and shows each picture that comes. Between pictures the times run on.

import { onShowBay, runTiles, showTiles } from "./tiles.js";
import { runExceptions, showExceptions, showOnly } from "./exceptions.js";
import { showFigures, showSummary } from "./figures.js";
import { hearMoment, momentNow } from "./moment.js";
import { showOutOfService } from "./service.js";
import { runViews, showSite, startViews } from "./views.js";
import { element, setAttribute, setText, time } from "./words.js";

/** Without a sign of life for so long the line counts as lost; the service gives one each 5 s. */
const SILENCE_MS = 12_000;
/** A service that lives but publishes nothing for so long is stuck. */
const STALE_MS = 15_000;
const RECONNECT_MS = 2_000;
/** A picture may take a moment to come back before the page says that the line is lost. */
const GRACE_MS = 1_500;

const root = document.documentElement;
const choice = new URLSearchParams(location.search);
let sort = choice.get("sort") ?? remembered("sort") ?? "need";
let site = choice.get("site") ?? "";

let picture = null;
let received = 0;
let heard = performance.now();
let broken = null;
let source = null;
let tried = 0;

/** Ways to remember a choice may be shut off in the browser; then it lasts until the page is closed. */
function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Not kept, and that is all.
  }
}

function connect() {
  source?.close();
  source = new EventSource("api/v1/live");
  tried = performance.now();
  source.onopen = alive;
  source.addEventListener("heartbeat", alive);
  source.onmessage = (event) => {
    alive();
    const next = JSON.parse(event.data);
    // Another version of the service brings another page.
    if (picture?.status.version && next.status.version && picture.status.version !== next.status.version) {
      location.reload();
    }
    picture = next;
    hearMoment(picture.at_ms);
    received = performance.now();
    show();
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

function show() {
  const sites = [...new Set(picture.bays.map((bay) => bay.site))].sort();
  showSites(sites);
  const bays = picture.bays.filter((bay) => !site || bay.site === site);
  const exceptions = picture.exceptions.filter((one) => !site || one.site === site);
  showTiles(bays, sort, sites.length > 1 && !site);
  showSummary(bays);
  showFigures(picture.status);
  showExceptions(exceptions, site ? 0 : picture.status.exceptions_open);
  showOutOfService(picture.tools_out_of_service.filter((one) => !site || one.site === site));
  for (const button of document.querySelectorAll("[data-sort]")) {
    setAttribute(button, "aria-pressed", String(button.dataset.sort === sort));
  }
  run();
}

function showSites(sites) {
  const select = document.getElementById("site");
  document.getElementById("site-choice").hidden = sites.length < 2;
  setText(document.getElementById("sites"), site || (sites.length > 3 ? `${sites.length} sites` : sites.join(", ")));
  const shown = [...select.options].slice(1).map((option) => option.value);
  if (shown.join("\n") === sites.join("\n")) return;
  select.replaceChildren(select.options[0], ...sites.map((name) => {
    const option = element("option", "", name);
    option.value = name;
    return option;
  }));
  select.value = site;
}

/** Once a second: times run on, and the line is watched. */
function run() {
  const now = performance.now();
  const silent = now - heard > SILENCE_MS;
  const lost = silent || (broken !== null && now - broken > GRACE_MS);
  // A line can die without a word, as when the radio link goes.
  if (silent && now - tried > SILENCE_MS) connect();
  const stale = picture !== null && now - received > STALE_MS;
  const connection = lost ? "lost" : picture === null ? "connecting" : stale ? "stale" : "live";
  setAttribute(root, "data-connection", connection);
  showBar(connection);
  runViews();
  if (picture === null) return;
  const now_ms = momentNow();
  setText(document.getElementById("as-of"), time(picture.at_ms, now_ms));
  setText(document.getElementById("link"), { live: "live", lost: "connection lost", stale: "no new picture", connecting: "connecting" }[connection]);
  // What nobody has confirmed does not run on; how old it is does.
  runTiles(now_ms, connection === "live" ? picture.at_ms : now_ms);
  runExceptions(now_ms);
}

function showBar(connection) {
  const of = picture === null ? "" : `, showing data of ${time(picture.at_ms)}`;
  const reasons = picture?.status.not_ready ?? [];
  const [tone, text] =
    connection === "lost" ? ["lost", `Connection lost${of}`]
    : connection === "connecting" ? ["quiet", "Connecting to Andon"]
    : connection === "stale" ? ["lost", `Andon answers but sends no new picture${of}`]
    : reasons.length > 0 ? ["warning", `Not ready: ${reasons.join("; ")}`]
    : ["quiet", `Connected to Andon ${picture.status.version}`];
  setAttribute(document.getElementById("bar"), "data-tone", tone);
  setText(document.getElementById("bar-text"), text);
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    sort = button.dataset.sort;
    remember("sort", sort);
    if (picture) show();
  });
}
document.getElementById("site").addEventListener("change", (event) => {
  site = event.target.value;
  showSite(site);
  if (picture) show();
});
onShowBay((of_site, bay) => showOnly(of_site, bay, show));

startViews(site);
connect();
setInterval(run, 1000);
