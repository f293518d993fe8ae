// What meters, dispensers and tanks showed in the newest day, and where it went. What no step accounts for stands out,
// and so does what is left over.

import { element, keep, quantity, setAttribute, setText, showSum, time, unit } from "./words.js";

const rows = document.getElementById("balance-rows");
const sum = document.getElementById("balances-sum");

const KIND_WORD = { counter: "meter", amount: "dispenser", level: "tank" };

export const balances = {
  ask: (get, of_site) => get(`api/v1/balances?${of_site.slice(1)}`),

  show({ balances: found, is_cut }, site) {
    const several_sites = !site && new Set(found.map((one) => one.site)).size > 1;
    const key = (one) => JSON.stringify([one.site, one.bay, one.tool, one.metric, one.resource, one.local_date]);
    keep(rows, found, key, make, (row, one) => update(row, one, several_sites));
    document.getElementById("no-balances").hidden = found.length > 0;
    document.getElementById("balance-table").hidden = found.length === 0;
    const dates = [...new Set(found.map((one) => one.local_date))].sort();
    const goes_on = found.some((one) => !one.final);
    const of = (name) => found.filter((one) => one[name] !== 0).length;
    const said = [
      ["date", dates.map(day).join(", "), goes_on ? "so far, told each hour" : "is over"],
      ["count", found.length, is_cut ? "balances, and more that are not here" : "balances"],
      ["unassigned", of("unassigned"), "with unassigned quantities"],
      ["difference", of("difference"), "with a difference"],
    ].filter(([, amount]) => amount);
    showSum(sum, found.length === 0 ? [] : said.map(([name, amount, words]) => [name, `${amount} ${words}`]));
  },
};

/** 2026-11-24 as 24 Nov. */
function day(date) {
  const of_utc = { day: "numeric", month: "short", timeZone: "UTC" };
  return new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", of_utc);
}

function make() {
  const cells = {};
  for (const name of ["resource", "meter", "start", "end", "metered", "booked", "unassigned", "difference"]) {
    cells[name] = element(name === "resource" ? "th" : "td", `balance-${name}`);
  }
  cells.resource.scope = "row";
  const row = element("tr", "", ...Object.values(cells));
  row.cells_of = cells;
  return row;
}

function update(row, one, several_sites) {
  const cells = row.cells_of;
  const is_tank = one.kind === "level";
  setAttribute(row, "data-resource", one.resource);
  setAttribute(row, "data-final", one.final ? "yes" : "no");
  setAttribute(row, "title", `${one.readings} readings of ${one.metric} from ${time(one.started_ms)}`);
  const measure = unit(one.unit ?? "");
  say(cells.resource, one.resource.replaceAll("_", " "), measure);
  const where = [several_sites && one.site, one.bay, one.tool].filter((part) => part).join(" · ");
  say(cells.meter, where || one.site, KIND_WORD[one.kind] ?? one.kind);
  const reset = one.resets === 0 ? "" : one.resets === 1 ? "was set back" : `was set back ${one.resets} times`;
  say(cells.start, one.meter_start === null ? "–" : quantity(one.meter_start));
  say(cells.end, one.meter_end === null ? "–" : quantity(one.meter_end), reset);
  say(cells.metered, quantity(one.metered));
  say(cells.booked, quantity(one.booked));
  say(cells.unassigned, quantity(one.unassigned));
  const gone = one.difference > 0 ? "lost" : "delivered";
  say(cells.difference, quantity(one.difference), one.difference === 0 ? "" : is_tank ? gone : "does not add up");
  setAttribute(cells.unassigned, "data-some", one.unassigned !== 0 ? "yes" : "no");
  setAttribute(cells.difference, "data-some", one.difference !== 0 ? "yes" : "no");
}

/** A value, and a word about it. */
function say(cell, text, word = "") {
  if (!cell.firstElementChild) cell.append(element("span"), " ", element("small"));
  setText(cell.firstElementChild, text);
  setText(cell.lastElementChild, word);
}
