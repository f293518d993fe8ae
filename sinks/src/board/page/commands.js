// What people do about an exception: buttons, and the way of a command to the service and back.

import { element, setText } from "./words.js";

/** For how long an exception can be put aside. */
const SHELVES = [
  ["15 min", 900],
  ["1 h", 3600],
  ["8 h", 28_800],
];

/** Who acts, as they say themselves; asked for once. */
function actor() {
  let known = null;
  try {
    known = localStorage.getItem("actor");
  } catch {
    // Ways to remember may be shut off in the browser; then it is asked for each time.
  }
  const name = known ?? window.prompt("Your name or number, as it will be recorded")?.trim();
  try {
    if (name) localStorage.setItem("actor", name);
  } catch {
    // Not kept, and that is all.
  }
  return name;
}

/** Gives a command; its answer, or what is wrong, in words. A lost line is tried again under the same key. */
async function give(id, verb, body) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await fetch(`api/v1/exceptions/${encodeURIComponent(id)}/${verb}`, request);
      const said = await answer.json();
      return { done: answer.ok, detail: said.detail ?? "" };
    } catch (error) {
      if (attempt === 3) return { done: false, detail: `The service does not answer: ${error.message}` };
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** The buttons of an exception, and a line that says what people have done. `item.shown` is the exception. */
export function makeCommands(item) {
  const parts = {
    said: element("p", "operator"),
    acknowledge: element("button", "", "Acknowledge"),
    shelve: element("button", "", "Shelve"),
    unshelve: element("button", "", "Unshelve"),
    wrong: element("p", "wrong"),
  };
  parts.wrong.setAttribute("role", "alert");
  const act = (verb, more) => async () => {
    const name = actor();
    const body = name ? more(name) : null;
    if (!body) return;
    const buttons = [parts.acknowledge, parts.shelve, parts.unshelve];
    buttons.forEach((button) => (button.disabled = true));
    const { done, detail } = await give(item.shown.id, verb, body);
    buttons.forEach((button) => (button.disabled = false));
    setText(parts.wrong, done ? "" : detail);
    parts.wrong.hidden = done;
  };
  parts.acknowledge.addEventListener("click", act("acknowledge", (name) => ({ actor: name })));
  parts.unshelve.addEventListener("click", act("unshelve", (name) => ({ actor: name })));
  parts.shelve.addEventListener(
    "click",
    act("shelve", (name) => {
      const choices = SHELVES.map(([words], place) => `${place + 1}: ${words}`).join(", ");
      const shelf = SHELVES[Number(window.prompt(`For how long? ${choices}`, "1")) - 1];
      const reason = shelf && window.prompt("Why?")?.trim();
      return reason ? { actor: name, reason, duration_s: shelf[1] } : null;
    }),
  );
  parts.wrong.hidden = true;
  item.commands = parts;
  return element("div", "commands", parts.said, parts.acknowledge, parts.shelve, parts.unshelve, parts.wrong);
}

/** Shows what makes sense for `one`, and who did what. */
export function updateCommands(item, one, until) {
  const { commands: parts } = item;
  const isOpen = one.state === "active" || one.state === "latched";
  const state = one.operator_state;
  const because = one.operator_reason ? `: ${one.operator_reason}` : "";
  const said = {
    acknowledged: `Acknowledged by ${one.actor}${because}`,
    shelved: `Shelved by ${one.actor} until ${until(one.shelved_until_ms)}${because}`,
  };
  setText(parts.said, said[state] ?? "");
  parts.said.hidden = !said[state];
  parts.acknowledge.hidden = state !== "unacknowledged" || one.state === "suppressed";
  parts.shelve.hidden = !isOpen || state === "shelved";
  parts.unshelve.hidden = !isOpen || state !== "shelved";
}
