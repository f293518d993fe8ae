// What is not in the live picture is asked for: again and again while somebody looks at it, and not otherwise. How old
// the answer is stands beside it in words.

import { momentNow } from "./moment.js";
import { setAttribute, setText, span, time } from "./words.js";

/** From an answer to the next question. */
const PAUSE_MS = 5_000;
/** A question that has no answer for so long is given up. */
const PATIENCE_MS = 10_000;
/** An answer that is older is marked as old. */
const OLD_MS = 15_000;

/** All that are looked at, if the page is. */
const looked_at = new Set();

/** The answer at `path`, as JSON. What is wrong is thrown, in the service's words if it has any. */
async function get(path, signal) {
  const failed = (words) => (signal.aborted ? signal.reason : new Error(words));
  const answer = await fetch(path, { signal }).catch(() => {
    throw failed("The service does not answer");
  });
  const said = await answer.json().catch(() => {
    throw failed(`The service answers with ${answer.status} and no data`);
  });
  if (!answer.ok) throw new Error(said.detail ?? `The service answers with ${answer.status}`);
  return said;
}

/**
 * `ask(get)` asks, `show(answer)` shows, `line` is where its age is told. What it gives is started with `start`, when
 * somebody looks or wants something else, and ended with `stop`; `run` lets the age run on.
 */
export function makeAsking({ line, ask, show }) {
  let question = null;
  let timer = 0;
  let answered = null;
  let wrong = null;

  async function again() {
    pause();
    const mine = (question = new AbortController());
    const late = setTimeout(() => mine.abort(new Error("The service takes too long")), PATIENCE_MS);
    let [answer, fault] = [null, null];
    try {
      answer = await ask((path) => get(path, mine.signal));
    } catch (error) {
      fault = error.message;
    }
    clearTimeout(late);
    // Given up: nobody looks any more, or something else is asked.
    if (question !== mine) return;
    timer = setTimeout(again, PAUSE_MS);
    wrong = fault;
    if (fault === null) {
      answered = performance.now();
      show(answer);
    }
    run();
  }

  function pause() {
    clearTimeout(timer);
    question?.abort();
    question = null;
  }

  function run() {
    const age_ms = answered === null ? null : performance.now() - answered;
    const is_old = wrong !== null || (age_ms !== null && age_ms > OLD_MS);
    const now_ms = momentNow();
    const of = now_ms === null ? "as of just now" : `as of ${time(now_ms - age_ms, now_ms)}`;
    const text =
      answered === null ? `${wrong ?? "Asking the service"}${wrong ? ": nothing is known yet" : ""}`
      : is_old ? `Old: ${of}, ${span(age_ms)} ago. ${wrong ?? "No newer answer yet"}`
      : of;
    setText(line, text);
    setAttribute(line, "data-age", is_old ? "old" : answered === null ? "none" : "fresh");
  }

  const asking = {
    start() {
      looked_at.add(asking);
      if (!document.hidden) again();
    },
    stop() {
      looked_at.delete(asking);
      pause();
    },
    again,
    pause,
    run,
  };
  return asking;
}

// Whoever has done something wants to see what came of it.
document.addEventListener("commanded", () => {
  for (const asking of looked_at) if (!document.hidden) asking.again();
});

// A page that nobody sees asks for nothing.
document.addEventListener("visibilitychange", () => {
  for (const asking of looked_at) {
    if (document.hidden) asking.pause();
    else asking.again();
  }
});
