// What people do about an exception, and what they have done.

import { addCommand, makeCommands, named } from "./commands.js";
import { element, setText } from "./words.js";

/** For how long an exception can be put aside. */
const SHELVES = [
  ["900", "15 min"],
  ["3600", "1 h"],
  ["28800", "8 h"],
];

/** The buttons of an exception, and a line that says what people have done. `item.shown` is the exception. */
export function makeOperator(item) {
  const commands = makeCommands();
  const said = element("p", "operator");
  commands.prepend(said);
  const add = (words, verb, more = () => ({})) =>
    addCommand(commands, words, () => ({
      path: `exceptions/${named(item.shown.id)}/${verb}`,
      title: `${words} ${item.shown.bay}: ${item.shown.message}`,
      ...more(),
    }));
  const duration = { name: "duration_s", label: "For how long", required: true, is_number: true, choices: SHELVES };
  const why = { name: "reason", label: "Why", required: true };
  const reason = { name: "reason", label: "Why, as: in calibration", required: true };
  const done = { name: "reason", label: "What was done about it", required: true };
  item.operator = {
    said,
    acknowledge: add("Acknowledge", "acknowledge"),
    shelve: add("Shelve", "shelve", () => ({ fields: [duration, why] })),
    unshelve: add("Unshelve", "unshelve"),
    out: addCommand(commands, "Tool out of service", () => ({
      path: `tools/${named(item.shown.site, item.shown.tool)}/out_of_service`,
      title: `Take ${item.shown.tool} out of service: what it says calls for nobody until it returns`,
      fields: [reason],
    })),
    reset: add("Reset", "reset", () => ({ fields: [done] })),
  };
  return commands;
}

/** Shows what makes sense for `one`, and who did what. */
export function updateOperator(item, one, until) {
  const { operator: parts } = item;
  const isOpen = one.state === "active" || one.state === "latched";
  const state = one.operator_state;
  const because = one.operator_reason ? `: ${one.operator_reason}` : "";
  const said = {
    acknowledged: `Acknowledged by ${one.actor}${because}`,
    out_of_service: `Tool out of service, by ${one.actor}${because}`,
    shelved: `Shelved by ${one.actor} until ${until(one.shelved_until_ms)}${because}`,
  };
  setText(parts.said, said[state] ?? "");
  parts.said.hidden = !said[state];
  parts.acknowledge.hidden = state !== "unacknowledged" || one.state === "suppressed";
  const isAside = state === "shelved" || state === "out_of_service";
  parts.shelve.hidden = !isOpen || isAside;
  parts.out.hidden = !isOpen || !one.tool || state === "out_of_service";
  parts.unshelve.hidden = !isOpen || state !== "shelved";
  parts.reset.hidden = one.state !== "latched";
}
