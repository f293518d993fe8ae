// The views of the page. Which one is shown stands in the address (#jobs), so it can be linked, and its tab is a link,
// so it is reached by keyboard. A view asks for its data only while it is shown. The exceptions stay beside all of
// them, and so do their floods.

import { makeAsking } from "./asking.js";
import { balances } from "./balances.js";
import { floods } from "./floods.js";
import { jobs } from "./jobs.js";
import { momentNow } from "./moment.js";
import { waiting } from "./waiting.js";
import { setAttribute } from "./words.js";

/** The one that is shown first. What it shows is in the live picture. */
const FIRST = "bays";
const links = [...document.querySelectorAll("#views [data-view]")];
const sections = new Map(links.map(({ dataset: { view } }) => [view, document.getElementById(view)]));

let site = "";

/** `&site=` for a question, or nothing when all sites are shown. */
const ofSite = () => (site ? `&site=${encodeURIComponent(site)}` : "");

const make = (line, view) =>
  makeAsking({
    line: document.getElementById(line),
    ask: (get) => view.ask(get, ofSite()),
    show: (answer) => {
      view.show(answer, site);
      view.run?.(momentNow());
    },
  });

const askings = new Map([
  ["jobs", make("jobs-age", jobs)],
  ["balances", make("balances-age", balances)],
  ["waiting", make("waiting-age", waiting)],
]);
const flood_asking = make("flood-age", floods);
let shown = null;

/** Shows what the address says; what names no view, as the exceptions, leaves the view that is shown. */
function turn() {
  const wanted = location.hash.slice(1);
  const next = sections.has(wanted) ? wanted : (shown ?? FIRST);
  if (next === shown) return;
  askings.get(shown)?.stop();
  shown = next;
  for (const [name, section] of sections) section.hidden = name !== shown;
  for (const link of links) setAttribute(link, "aria-current", link.dataset.view === shown ? "page" : null);
  document.getElementById("order").hidden = shown !== FIRST;
  askings.get(shown)?.start();
}

/** Shows one site alone, or all of them if it is empty. */
export function showSite(wanted) {
  if (site === wanted) return;
  site = wanted;
  askings.get(shown)?.start();
  flood_asking.start();
}

/** Once a second: times and ages run on. */
export function runViews() {
  askings.get(shown)?.run();
  flood_asking.run();
  if (shown === "jobs") jobs.run(momentNow());
}

/** Begins; with one site, if the address names one. */
export function startViews(of_site) {
  site = of_site;
  addEventListener("hashchange", turn);
  turn();
  flood_asking.start();
}
