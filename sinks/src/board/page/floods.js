// How many exceptions call at once, in a strip above them: whether that is more than anybody can look at, for how long
// it has been, and what calls most.

import { element, keep, setAttribute, setText, span, time } from "./words.js";

const list = document.getElementById("flood-list");
const quiet = document.getElementById("flood-quiet");
/** What calls most, in the line of a flood. */
const WORST_MAX = 3;

export const floods = {
  ask: (get) => get("api/v1/exceptions/flood"),

  /** One site has its line at all times; of several only those do that are in a flood. */
  show({ sites, at_ms }, only) {
    const wanted = sites.filter((one) => !only || one.site === only);
    const shown = wanted.length > 1 ? wanted.filter((one) => one.in_flood) : wanted;
    keep(list, shown, (one) => one.site, make, (item, one) => update(item, one, at_ms, wanted.length > 1));
    const calm = wanted.length - shown.length;
    const others = calm === 1 ? "one other site" : shown.length > 0 ? `${calm} other sites` : `any of ${calm} sites`;
    const none = "No exception has been raised yet, so there was no flood of them.";
    setText(quiet, wanted.length > 0 ? `No flood on ${others}` : none);
    quiet.hidden = wanted.length > 0 && calm === 0;
  },
};

function make() {
  const parts = {
    word: element("b", "flood-word"),
    rate: element("span", "flood-rate"),
    worst: element("p", "flood-worst"),
    total: element("p"),
    rules: element("ol"),
    sources: element("ol"),
  };
  const actors = (title, actors) => element("div", "", element("b", "", title), actors);
  const details = element(
    "details", "", element("summary", "", "What calls most"), parts.total,
    element("div", "actors", actors("Rules", parts.rules), actors("Bays and tools", parts.sources)),
  );
  const item = element("li", "flood", element("p", "flood-line", parts.word, parts.rate), parts.worst, details);
  item.parts = parts;
  return item;
}

function update(item, one, at_ms, several_sites) {
  const { parts } = item;
  setAttribute(item, "data-flood", one.in_flood ? "yes" : "no");
  const where = several_sites ? ` on ${one.site}` : "";
  const flood = () => `Flood of exceptions${where}, for ${span(at_ms - one.flood_since_ms)}`;
  setText(parts.word, one.in_flood ? flood() : `No flood${where}`);
  setText(parts.rate, `${one.raised_per_10min} in 10 min, more than ${one.flood_above} are a flood`);
  const worst = one.rules.slice(0, WORST_MAX).map(({ name, raised }) => `${words(name)} ${raised}`);
  setText(parts.worst, one.in_flood && worst.length > 0 ? `Mostly ${worst.join(", ")}` : "");
  parts.worst.hidden = !one.in_flood;
  const so_far = `${one.floods} so far: ${span(one.flood_s * 1000)} of ${span(at_ms - one.since_ms)} in floods`;
  setText(parts.total, one.floods === 0 ? `No flood since ${time(one.since_ms, at_ms)}` : so_far);
  for (const name of ["rules", "sources"]) {
    keep(parts[name], one[name], (actor) => actor.name, makeActor, updateActor);
  }
}

const words = (name) => name.replaceAll("_", " ");

const makeActor = () => element("li", "", element("span"), element("b"));

function updateActor(item, { name, raised }) {
  setText(item.firstElementChild, words(name));
  setText(item.lastElementChild, String(raised));
}
