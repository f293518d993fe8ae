// What people do: a button asks for what the command needs, gives it, and says what is wrong if it is refused.

import { NAME_FIELD, actor, becomeActor } from "./actor.js";
import { askFor } from "./dialog.js";
import { element, setText } from "./words.js";

/** From a command to the answer of others to it: a picture may be painted before. */
const SETTLED_MS = 400;
const ATTEMPTS_MAX = 3;
/** This module is in a folder of the service, wherever that is. */
const API = new URL("../api/v1/", import.meta.url);

/** Gives a command; its answer, or what is wrong, in words. A lost line is tried again under the same key. */
async function give(path, body) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  for (let attempt = 1; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(new URL(path, API), request);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) return { done: false, detail: `The service does not answer: ${error.message}` };
      await new Promise((resolve) => setTimeout(resolve, 1000));
      continue;
    }
    const said = await answer.json().catch(() => ({}));
    return { done: answer.ok, detail: said.detail ?? `The service answers with ${answer.status}` };
  }
}

/** Where commands of one thing stand, and what was wrong with the last one. */
export function makeCommands() {
  const wrong = element("p", "wrong");
  wrong.setAttribute("role", "alert");
  wrong.hidden = true;
  const commands = element("div", "commands", wrong);
  commands.wrong = wrong;
  return commands;
}

/**
 * Adds a button to `commands`. `of()` says what it does now: the path of the command, its body, and what is asked for first
 * under which title; what is filled in is in the body by its name.
 */
export function addCommand(commands, words, of) {
  const button = element("button", "", words);
  button.type = "button";
  button.addEventListener("click", async () => {
    const { path, title, fields = [], body = {} } = of();
    const asked = actor() ? fields : [NAME_FIELD, ...fields];
    const said = asked.length > 0 ? await askFor(title, asked, words) : {};
    if (!said) return;
    if (said.actor) becomeActor(said.actor);
    const filled = Object.entries(said).filter(([, value]) => value !== "");
    const all = { actor: actor(), ...body, ...Object.fromEntries(filled) };
    const buttons = [...commands.querySelectorAll("button")];
    buttons.forEach((one) => (one.disabled = true));
    const { done, detail } = await give(path, all);
    buttons.forEach((one) => (one.disabled = false));
    setText(commands.wrong, done ? "" : detail);
    commands.wrong.hidden = done;
    if (done) setTimeout(() => document.dispatchEvent(new Event("commanded")), SETTLED_MS);
    // Who works by keyboard goes on where they were: a button that cannot be pressed has lost the focus.
    if (document.activeElement === document.body) button.focus();
  });
  commands.wrong.before(button);
  return button;
}

/** The path of something that has a name. */
export const named = (...parts) => parts.map(encodeURIComponent).join("/");
