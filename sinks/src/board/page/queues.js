// What is handed on: how far each courier is in its queue, what it waits for, and the newest items.

import { addCommand, makeCommands, named } from "./commands.js";
import { count, element, keep, quantity, setAttribute, setText, time } from "./words.js";

const list = document.getElementById("queue-list");

/** Queues that somebody outside waits for; the audit is read, and waits for nobody. */
const QUEUES = [
  ["notifications", "Notifications", "What customers and those who answer for exceptions are told."],
  ["billing", "Bills", "Lines of jobs that were handed over."],
];
/** Items that are shown. */
const NEWEST = 5;
/** More are asked for, as those that have their number already may not be there yet. */
const ASKED = 25;

/** By queue: its newest number when it was asked, and its items. They change only when one is added. */
const known = new Map();

export const queues = {
  async ask(get, newest) {
    const asked = QUEUES.map(async ([name]) => {
      const last = newest[name] ?? 0;
      if (known.get(name)?.last === last) return;
      const from = Math.max(1, last - ASKED + 1);
      const { items } = last === 0 ? { items: [] } : await get(`api/v1/queues/${name}?from=${from}&limit=${ASKED}`);
      // The newest are there a moment after they have their number: until then they are asked for again.
      known.set(name, { last: items.at(-1)?.offset ?? 0, items: items.slice(-NEWEST) });
    });
    await Promise.all(asked);
    return new Map([...known].map(([name, { items }]) => [name, items]));
  },

  /** How many couriers wait for a person. */
  show({ deliveries, newest }, items) {
    const shown = QUEUES.map(([name, title, about]) => ({
      name, title, about,
      last: newest[name] ?? 0,
      couriers: deliveries.filter((one) => one.queue === name),
      items: [...(items.get(name) ?? [])].reverse(),
    }));
    keep(list, shown, (queue) => queue.name, make, update);
    return deliveries.filter((one) => one.held).length;
  },
};

function make() {
  const parts = {
    title: element("b"),
    last: element("span", "soft since"),
    couriers: element("ul", "couriers"),
    nobody: element("p", "soft"),
    items: element("ol", "newest"),
  };
  const head = element("p", "entry", parts.title, parts.last);
  const item = element("li", "item", head, parts.nobody, parts.couriers, parts.items);
  item.parts = parts;
  return item;
}

function update(item, queue) {
  const { parts } = item;
  setAttribute(item, "data-queue", queue.name);
  setText(parts.title, queue.title);
  setText(parts.last, queue.last === 0 ? "nothing yet" : queue.last === 1 ? "1 item" : `${count(queue.last)} items`);
  parts.nobody.hidden = queue.last > 0 && queue.couriers.length > 0;
  const read_at = `No webhook and no mail takes them; they are read at /api/v1/queues/${queue.name}.`;
  setText(parts.nobody, queue.last === 0 ? queue.about : read_at);
  keep(parts.couriers, queue.couriers, (courier) => courier.courier, makeCourier, updateCourier);
  keep(parts.items, queue.items, (one) => String(one.offset), makeItem, updateItem);
}

/** A courier; what it holds waits for somebody to say whether it goes out once more, or never. */
function makeCourier() {
  const words = element("span");
  const commands = makeCommands();
  const item = element("li", "", words, commands);
  item.words = words;
  const add = (said, verb, label) =>
    addCommand(commands, said, () => ({
      path: `deliveries/${named(item.shown.courier)}/${verb}`,
      title: `${said} item ${item.shown.settled + 1} of ${item.shown.courier}`,
      body: { item: item.shown.settled + 1 },
      fields: [{ name: "reason", label, required: true }],
    }));
  item.decide = [add("Resend", "resend", "How it is known that it may go out again"), add("Skip", "skip", "Why it need not go out")];
  item.commands = commands;
  return item;
}

function updateCourier(item, one) {
  item.shown = one;
  for (const button of item.decide) {
    button.hidden = !one.held;
    setAttribute(button, "aria-label", `${button.textContent} item ${one.settled + 1} of ${one.courier}`);
  }
  item.commands.hidden = !one.held && item.commands.wrong.hidden;
  const why = one.held ? `is held: ${one.held}` : one.failure ? `tries again: ${one.failure}` : "";
  setAttribute(item, "data-held", one.held ? "yes" : "no");
  const items = one.waiting === 1 ? "1 item waits" : `${count(one.waiting)} items wait`;
  const waits = one.waiting === 0 ? "all handed on" : items;
  setText(item.words, `${one.courier}: ${waits}${why && `; item ${one.settled + 1} ${why}`}`);
}

function makeItem() {
  return element("li", "entry", element("span", "soft"), element("b"), element("span", "cut"));
}

function updateItem(item, { ts_ms, kind, job, body }) {
  const [when, what, text] = item.children;
  const amount = typeof body.amount === "number" ? `${quantity(body.amount)} ${body.currency}` : "";
  const bill = [body.item?.replaceAll("_", " "), amount];
  setText(when, time(ts_ms).slice(0, 5));
  setText(what, [job, kind.replaceAll("_", " ")].filter((part) => part).join(" "));
  // The first line says it; addresses are not for a screen that all can see.
  setText(text, body.text?.split("\n")[0] ?? bill.filter((part) => part).join(", "));
}
