// Words, numbers and times as people read them, and the small tools that put them on the page.
// Data reaches the page through textContent and attributes alone, never as markup.

/** States of a bay, the neediest first. */
export const STATES = [
  ["stopped", "Stopped"],
  ["at_risk", "At risk"],
  ["no_data", "No data"],
  ["waiting", "Waiting"],
  ["normal", "On time"],
  ["free", "Free"],
];
export const STATE_WORD = Object.fromEntries(STATES);
export const STATE_RANK = Object.fromEntries(STATES.map(([state], rank) => [state, rank]));

export const SEVERITY_RANK = { critical: 0, high: 1, medium: 2, low: 3 };

const UNITS = { "Cel": "°C", "N.m": "Nm", "kW.h": "kWh", "W.h": "Wh", "deg": "°", "/min": "/min", "[ppm]": "ppm", "1": "" };

/** A UCUM code as people write it. */
export const unit = (code) => UNITS[code] ?? code;

const counting = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

/** 12,345; from ten million on 12.35M. */
export const count = (value) => (value < 1e7 ? counting : compact).format(value);

/** At most four digits that matter. */
export const number = (value) => short.format(value);

/** 12.3 ms, 1.2 s. */
export function milliseconds(value) {
  if (value >= 10_000) return `${counting.format(value / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? counting.format(value) : value.toFixed(1)} ms`;
}

/** 3:07, 1:02:09. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (part) => String(part).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** 12 s, 3 min, 2 h 5 min, 4 d. */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** 12:03:05, with the date in front when it is not today's. */
export function time(ms, today_ms = ms) {
  const date = new Date(ms);
  const text = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === new Date(today_ms).toDateString()) return text;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${text}`;
}

/** 12:03, with the date in front when it is not today's. */
export const hour = (ms, today_ms = ms) => time(ms, today_ms).slice(0, -3);

/** What a meter shows, to the thousandth; what is less and not nothing is never written as 0. */
export function quantity(value) {
  if (value !== 0 && Math.abs(value) < 0.0005) return value < 0 ? "> −0.001" : "< 0.001";
  return exact.format(value).replace("-", "−");
}

/** An element with classes, text and children. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes. */
export function drawing(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The symbol `id` of page.html. */
export function icon(id) {
  const svg = drawing("svg", { class: "icon", "aria-hidden": "true" });
  svg.append(drawing("use", { href: `#${id}` }));
  return svg;
}

/** Points an icon at another symbol. */
export function setIcon(svg, id) {
  const use = svg.firstElementChild;
  if (use.getAttribute("href") !== `#${id}`) use.setAttribute("href", `#${id}`);
}

/** Sets text only where it differs, so that nothing is laid out or read aloud again in vain. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or removes an attribute only where it differs. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * Makes the children of `list` those of `items`, in their order. A child is kept for as long as its key
 * is there, with its focus and whatever people unfolded in it.
 */
export function keep(list, items, keyOf, make, update) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const focused = document.activeElement;
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    known.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
    update(child, item);
  }
  for (const gone of known.values()) gone.remove();
  if (focused && focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
}

/** A link to the page of a technician, where there is one. */
export function showTechnician(link, technician) {
  setText(link, technician ?? "");
  setAttribute(link, "href", technician ? `technician/${encodeURIComponent(technician)}` : null);
}

/** Says in `list` what is shown beside it in sum: (name, words) each. */
export function showSum(list, said) {
  keep(list, said, (part) => JSON.stringify(part), ([name, words]) => element("li", `sum-${name}`, words), () => {});
}
