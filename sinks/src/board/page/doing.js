// What people do to a step: begin it, pause it, go on, end it; sign its record off, or have it done again.

import { addCommand, makeCommands, named } from "./commands.js";

/** Said most often of a pause. */
const PAUSES = ["Waiting for parts", "Waiting for the customer", "Break", "Called away"];
/** In which states of a step each of them makes sense. */
const WHEN = {
  start: ["ready", "assigned", "reworked"],
  pause: ["active"],
  resume: ["paused"],
  finish: ["active", "paused"],
  sign_off: ["done", "qa_hold"],
  rework: ["done", "qa_hold"],
};

/** The buttons of a step for `verbs`; `item.shown` is the step, with its site and job. */
export function makeDoing(item, verbs) {
  const commands = makeCommands();
  const words = { start: "Start", pause: "Pause", resume: "Resume", finish: "Finish", sign_off: "Sign off", rework: "Rework" };
  const buttons = verbs.map((verb) => {
    const button = addCommand(commands, words[verb], () => {
      const { site, job, step } = item.shown;
      const path = `jobs/${named(job)}/steps/${named(step)}/${verb}`;
      return { path, title: `${words[verb]} ${job} ${step}`, body: { site }, fields: fields(verb, item.shown) };
    });
    button.dataset.verb = verb;
    return [verb, button];
  });
  item.doing = { commands, buttons };
  return commands;
}

function fields(verb, { bay, missing }) {
  if (verb === "pause") return [{ name: "reason", label: "Why", required: true, suggestions: PAUSES }];
  if (verb === "start" && !bay) return [{ name: "bay", label: "On which bay", required: true, letters_max: 128 }];
  if (verb === "sign_off") {
    const label = missing > 0 ? `Good readings that lack: ${missing}. Why is it in order` : "Note";
    return [{ name: "note", label, required: missing > 0 }];
  }
  return verb === "rework" ? [{ name: "note", label: "What is wrong" }] : [];
}

/** Shows what makes sense of `step`. */
export function updateDoing(item, step) {
  const { commands, buttons } = item.doing;
  for (const [verb, button] of buttons) {
    button.hidden = !WHEN[verb].includes(step.state);
    button.setAttribute("aria-label", `${button.textContent} ${step.job} ${step.step}`);
  }
  commands.hidden = buttons.every(([, button]) => button.hidden) && commands.wrong.hidden;
}
