// Tools that are out of service: what they say calls for nobody until they return.

import { addCommand, makeCommands, named } from "./commands.js";
import { element, keep, setText, time } from "./words.js";

const list = document.getElementById("out-list");
const title = document.getElementById("out-title");

/** Shows `tools`, each with who took it out and why. */
export function showOutOfService(tools) {
  keep(list, tools, (one) => `${one.site}/${one.tool}`, make, update);
  title.hidden = tools.length === 0;
}

function make() {
  const parts = { tool: element("b", "where"), said: element("p", "operator") };
  const item = element("li", "exception", element("div", "head", parts.tool), parts.said);
  const commands = makeCommands();
  addCommand(commands, "Return to service", () => ({
    path: `tools/${named(item.shown.site, item.shown.tool)}/return_to_service`,
    title: `Return ${item.shown.tool} to service`,
  }));
  item.append(commands);
  item.parts = parts;
  return item;
}

function update(item, one) {
  item.shown = one;
  setText(item.parts.tool, one.tool);
  setText(item.parts.said, `Since ${time(one.since_ms)}, by ${one.actor}: ${one.reason}`);
}
