// Who acts, as they say themselves: asked for once, kept, and told to all who look at this screen.

import { askFor } from "./dialog.js";
import { setText } from "./words.js";

/** Longer names are none. */
const LETTERS_MAX = 128;
export const NAME_FIELD = { name: "actor", label: "Your name or number, as it will be recorded", required: true, letters_max: LETTERS_MAX };

const line = document.getElementById("actor-name");
const change = document.getElementById("actor-change");
let known = remembered();

/** Ways to remember may be shut off in the browser; then it lasts until the page is closed. */
function remembered() {
  try {
    return localStorage.getItem("actor");
  } catch {
    return null;
  }
}

function show() {
  if (!line) return;
  setText(line, known ? `You are ${known}` : "Who are you?");
  setText(change, known ? "Change" : "Say your name");
}

/** Who acts; null where nobody has said so. */
export const actor = () => known;

/** `name` acts from now on. */
export function becomeActor(name) {
  known = name;
  try {
    localStorage.setItem("actor", name);
  } catch {
    // Not kept, and that is all.
  }
  show();
}

/** `name` acts on this page, and nobody else does. */
export function actAs(name) {
  known = name;
}

change?.addEventListener("click", async () => {
  const said = await askFor("Who acts here?", [{ ...NAME_FIELD, value: known ?? "" }], "That is me");
  if (said) becomeActor(said.actor);
});
show();
