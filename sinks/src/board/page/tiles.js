// A tile for each bay: what it does, how it stands, and how old that knowledge is.

import {
  STATE_RANK, STATE_WORD, clock, drawing, element, icon, keep, number, setAttribute, setIcon, setText,
  showTechnician, span, time, unit,
} from "./words.js";

const list = document.getElementById("tiles");
const byName = new Intl.Collator("en", { numeric: true });
/** The bar ends at this share of the standard time; over it, it is full. */
const BAR_END = 1.5;
const TRENDS_MAX = 4;

let showBay = () => {};

/** Calls `listener(site, bay)` when the open exceptions of a tile are asked for. */
export function onShowBay(listener) {
  showBay = listener;
}

/** Shows `bays`, sorted by "need" or "bay". */
export function showTiles(bays, sort, severalSites) {
  const name = (a, b) => byName.compare(a.site, b.site) || byName.compare(a.bay, b.bay);
  const need = (a, b) => STATE_RANK[a.state] - STATE_RANK[b.state] || name(a, b);
  const sorted = [...bays].sort(sort === "bay" ? name : need);
  keep(list, sorted, (bay) => JSON.stringify([bay.site, bay.bay]), make, (tile, bay) => update(tile, bay, severalSites));
  document.getElementById("no-bays").hidden = bays.length > 0;
  layOut(bays.length);
}

/** Lets times run on to `now_ms`, also between two pictures. */
export function runTiles(now_ms, picture_ms) {
  for (const tile of list.children) run(tile, now_ms, picture_ms);
}

function make() {
  const parts = {
    bay: element("h3", "bay"),
    icon: icon("state-no_data"),
    word: element("span", "word"),
    operation: element("p", "operation"),
    job: element("span", "job"),
    step: element("span", "step"),
    technician: element("a", "technician"),
    elapsed: element("span", "elapsed"),
    standard: element("span", "standard"),
    percent: element("span", "percent"),
    meter: element("div", "meter", element("i", "fill"), element("i", "mark")),
    reason: element("span", "reason"),
    trends: element("ul", "trends"),
    heard: element("span"),
    ago: element("span", "ago", " ago"),
    open: element("button", "open-count"),
  };
  parts.open.type = "button";
  parts.meter.setAttribute("role", "meter");
  parts.meter.setAttribute("aria-valuemin", "0");
  const band = element("div", "band", parts.bay, element("span", "state", parts.icon, parts.word));
  const who = element("span", "who", parts.job, parts.step, parts.technician);
  const age = element("span", "age", parts.heard, parts.ago);
  const body = element(
    "div", "body",
    parts.operation,
    element("div", "row", who, age),
    element("div", "time", parts.elapsed, parts.standard, parts.percent),
    parts.meter,
    element("div", "row", parts.reason, parts.open),
    parts.trends,
  );
  const tile = element("li", "tile", element("article", "card", band, body));
  tile.parts = parts;
  parts.open.addEventListener("click", () => showBay(tile.shown.site, tile.shown.bay));
  return tile;
}

function update(tile, bay, severalSites) {
  const { parts } = tile;
  tile.shown = bay;
  const working = bay.job !== null || bay.step !== null;
  const over = bay.elapsed_s !== null && bay.standard_s > 0 && bay.elapsed_s > bay.standard_s;
  setAttribute(tile, "data-bay", bay.bay);
  setAttribute(tile, "data-site", bay.site);
  setAttribute(tile, "data-state", bay.state);
  setAttribute(tile, "data-working", working ? "yes" : "no");
  setAttribute(tile, "data-over", over ? "yes" : "no");
  setText(parts.bay, severalSites && bay.bay ? `${bay.bay} ${bay.site}` : bay.bay || bay.site);
  setAttribute(parts.bay, "title", `${bay.site} ${bay.bay}`);
  setIcon(parts.icon, `state-${bay.state}`);
  setText(parts.word, STATE_WORD[bay.state] ?? bay.state);
  // A bay without a step says why where the operation would stand.
  const idle = bay.reason ? bay.reason[0].toUpperCase() + bay.reason.slice(1) : "No step";
  setText(parts.operation, working ? bay.operation ?? bay.step ?? "" : idle);
  setAttribute(parts.operation, "title", bay.operation);
  setText(parts.job, bay.job ?? "");
  setText(parts.step, bay.step ?? "");
  showTechnician(parts.technician, bay.technician);
  setText(parts.reason, working ? bay.reason : "");
  setAttribute(parts.reason, "title", bay.reason || null);
  setText(parts.open, `${bay.exceptions_open} open`);
  setAttribute(parts.open, "data-some", bay.exceptions_open > 0 ? "yes" : "no");
  parts.open.disabled = bay.exceptions_open === 0;
  setAttribute(parts.open, "aria-label", `Show ${bay.exceptions_open} open exceptions of ${bay.bay}`);
  setAttribute(parts.heard, "title", bay.watermark_ms === null ? null : `complete up to ${time(bay.watermark_ms)}`);
  keep(
    parts.trends, bay.trends.slice(0, TRENDS_MAX), (trend) => JSON.stringify([trend.tool, trend.metric]),
    makeTrend, updateTrend,
  );
}

function run(tile, now_ms, picture_ms) {
  const { parts, shown: bay } = tile;
  const { elapsed_s, standard_s } = bay;
  const running = bay.paused || elapsed_s === null ? 0 : Math.max(0, now_ms - picture_ms) / 1000;
  const elapsed = elapsed_s === null ? null : elapsed_s + running;
  setText(parts.elapsed, elapsed === null ? "" : clock(elapsed));
  setText(parts.standard, elapsed !== null && standard_s > 0 ? `of ${clock(standard_s)}` : "");
  const share = elapsed !== null && standard_s > 0 ? elapsed / standard_s : null;
  setText(parts.percent, share === null ? "" : `${Math.floor(share * 100)} %`);
  setAttribute(parts.meter, "data-share", share === null ? "none" : share > BAR_END ? "far" : share > 1 ? "over" : "within");
  parts.meter.style.setProperty("--share", String(Math.min(share ?? 0, BAR_END) / BAR_END));
  if (share === null) {
    parts.meter.removeAttribute("aria-valuenow");
    setAttribute(parts.meter, "aria-label", "no standard time");
  } else {
    setAttribute(parts.meter, "aria-label", "elapsed against standard time");
    setAttribute(parts.meter, "aria-valuemax", Math.round(standard_s * BAR_END));
    setAttribute(parts.meter, "aria-valuenow", Math.round(Math.min(elapsed, standard_s * BAR_END)));
    setAttribute(parts.meter, "aria-valuetext", `${clock(elapsed)} of ${clock(standard_s)}`);
  }
  const age_ms = bay.last_arrived_ms === null ? null : now_ms - bay.last_arrived_ms;
  setText(parts.heard, age_ms === null ? "never heard" : span(age_ms));
  parts.ago.hidden = age_ms === null;
}

function makeTrend() {
  const line = drawing("polyline", { class: "line" });
  const dot = drawing("path", { class: "dot" });
  const svg = drawing("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(line, dot);
  const item = element("li", "trend");
  item.parts = { line, dot, label: element("span", "metric"), value: element("span", "value"), unit: element("small") };
  item.append(item.parts.label, element("span", "last", item.parts.value, " ", item.parts.unit), svg);
  return item;
}

function updateTrend(item, trend) {
  const points = trend.points.map((value, at) => [at, value]).filter(([, value]) => value !== null);
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at) => (trend.points.length > 1 ? 1 + (98 * at) / (trend.points.length - 1) : 99).toFixed(1);
  const y = (value) => (high > low ? 27 - (24 * (value - low)) / (high - low) : 15).toFixed(1);
  setAttribute(item.parts.line, "points", points.map(([at, value]) => `${x(at)},${y(value)}`).join(" "));
  const last = points.at(-1);
  setAttribute(item.parts.dot, "d", last ? `M${x(last[0])} ${y(last[1])}h0` : "");
  setText(item.parts.label, trend.metric.replaceAll("_", " "));
  setText(item.parts.value, last ? number(last[1]) : "–");
  setText(item.parts.unit, unit(trend.unit));
  setAttribute(item, "title", [trend.tool, trend.metric].filter((part) => part).join(" "));
}

/**
 * As many columns as let all tiles be seen at once, as large as may be. Where they would get too small to
 * read, and on a phone, the list scrolls instead.
 */
function layOut(tiles) {
  // Another view is shown: it is laid out when this one is shown again.
  if (list.clientWidth === 0) return;
  const style = getComputedStyle(list);
  const gap = parseFloat(style.columnGap) || 8;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = list.clientWidth;
  const height = list.clientHeight;
  const scrolls = style.getPropertyValue("--scrolls").trim() === "yes";
  const [width_min, height_min] = [7 * rem, 4.2 * rem];
  let best = { score: 0, columns: Math.max(1, Math.floor(width / (18 * rem))), row: 9.5 * rem };
  for (let columns = 1; columns <= tiles && !scrolls; columns++) {
    const rows = Math.ceil(tiles / columns);
    const [w, h] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows];
    const row = Math.min(h, w * 0.95, 26 * rem);
    const score = Math.min(w / 1.4, row);
    if (w >= width_min && h >= height_min && score > best.score) best = { score, columns, row: Math.floor(row) };
  }
  if (best.score === 0 && !scrolls) best = { columns: Math.floor(width / (9 * rem)), row: 5.5 * rem };
  list.style.setProperty("--columns", String(best.columns));
  list.style.setProperty("--row", `${best.row}px`);
}

new ResizeObserver(() => layOut(list.childElementCount)).observe(list);
