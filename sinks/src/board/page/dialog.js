// What is asked of a person before something is done: one window for all of it. It is filled by keyboard or by touch;
// Escape leaves everything as it is.

import { element, setAttribute } from "./words.js";

const title = element("h2", "", "");
const fields = element("div", "fields");
const cancel = element("button", "", "Cancel");
const go = element("button", "go", "");
const form = element("form", "", title, fields, element("div", "buttons", cancel, go));
const dialog = element("dialog", "asked", form);
title.id = "asked-title";
setAttribute(dialog, "aria-labelledby", title.id);
cancel.type = "button";
go.type = "submit";
document.body.append(dialog);

let inputs = [];
let settle = () => {};

function end(values) {
  const answer = settle;
  settle = () => {};
  if (dialog.open) dialog.close();
  answer(values);
}

cancel.addEventListener("click", () => end(null));
// By Escape; said a moment later, when the next question may be open.
dialog.addEventListener("close", () => dialog.open || end(null));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const values = {};
  for (const { field, input } of inputs) {
    const value = input.value.trim();
    input.setCustomValidity(field.required && !value ? "Please fill this in" : "");
    if (!input.reportValidity()) return;
    values[field.name] = field.is_number ? Number(value) : value;
  }
  end(values);
});

/**
 * Asks for `wanted`: (name, label, required, is_number, choices or suggestions) each. Gives what was filled in by name, or null for
 * whoever changed their mind.
 */
export function askFor(words, wanted, doing) {
  end(null);
  title.textContent = words;
  go.textContent = doing;
  inputs = wanted.map((field, place) => {
    const input = field.choices ? choice(field.choices) : element("input");
    input.id = `asked-${place}`;
    input.name = field.name;
    if (!field.choices) {
      input.maxLength = field.letters_max ?? 500;
      input.autocomplete = "off";
    }
    input.value = field.value ?? input.value;
    setAttribute(input, "aria-required", field.required ? "true" : null);
    input.addEventListener("input", () => input.setCustomValidity(""));
    return { field, input };
  });
  const shown = inputs.map(({ field, input }) => {
    const label = element("label", "", field.required ? field.label : `${field.label} (optional)`);
    label.htmlFor = input.id;
    return element("div", "field", label, input, ...suggestions(field, input));
  });
  fields.replaceChildren(...shown);
  dialog.showModal();
  inputs[0]?.input.focus();
  return new Promise((answer) => (settle = answer));
}

function choice(choices) {
  const options = choices.map(([value, words]) => {
    const option = element("option", "", words);
    option.value = value;
    return option;
  });
  return element("select", "", ...options);
}

/** What is said most often, to be said with one touch. */
function suggestions(field, input) {
  if (!field.suggestions) return [];
  const buttons = field.suggestions.map((words) => {
    const button = element("button", "", words);
    button.type = "button";
    button.addEventListener("click", () => {
      input.value = words;
      input.setCustomValidity("");
      go.focus();
    });
    return button;
  });
  return [element("div", "suggestions", ...buttons)];
}
