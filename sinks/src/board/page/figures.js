// The head of the page: how many bays stand how, and how the service itself is doing.

import { STATES, count, element, icon, milliseconds, setAttribute, setText } from "./words.js";

const summary = document.getElementById("summary");
const list = document.getElementById("figures");

const pills = new Map(
  STATES.map(([state, word]) => {
    const amount = element("b", "", "0");
    const pill = element("li", "pill", icon(`state-${state}`), amount, element("span", "", word.toLowerCase()));
    pill.dataset.state = state;
    summary.append(pill);
    return [state, { pill, amount }];
  }),
);

const figures = {};
for (const [name, word, explanation] of [
  ["rate", "messages/s", "Messages taken in a second"],
  ["lag", "watermark lag", "Newest arrival minus the least watermark of the bays that are heard"],
  ["p50", "latency p50", "From arrival to durable and applied, median of the last minute"],
  ["p99", "latency p99", "From arrival to durable and applied, 99 of 100 in the last minute were faster"],
  ["messages", "messages", "Messages in the journal"],
  ["undecodable", "undecodable", "Messages that are in quarantine as a whole"],
  ["quarantined", "quarantined", "Readings and events that could not be used"],
  ["duplicates", "duplicates", "Readings and events that had been seen before"],
  ["balance", "accounting", "messages = decoded + undecodable; readings = applied + duplicates + quarantined; applied = on time + corrections + late; events alike"],
]) {
  const value = element("dd", "", "–");
  const figure = element("div", "figure", value, element("dt", "", word));
  figure.title = explanation;
  figure.dataset.figure = name;
  list.append(figure);
  figures[name] = { figure, value };
}

/** Shows how many of `bays` stand how. */
export function showSummary(bays) {
  for (const [state, { pill, amount }] of pills) {
    const bays_of_state = bays.filter((bay) => bay.state === state).length;
    setText(amount, String(bays_of_state));
    setAttribute(pill, "data-some", bays_of_state > 0 ? "yes" : "no");
  }
  const stopped = bays.filter((bay) => bay.state === "stopped").length;
  document.title = stopped > 0 ? `${stopped} stopped · Andon` : "Andon";
}

/** Shows what the service says of itself. */
export function showFigures(status) {
  const { counts, latency_ms } = status;
  const set = (name, text, alarming = false) => {
    setText(figures[name].value, text);
    setAttribute(figures[name].figure, "data-alarming", alarming ? "yes" : "no");
  };
  set("rate", status.messages_per_second < 10 ? status.messages_per_second.toFixed(1) : count(status.messages_per_second));
  set("lag", status.watermark_lag_ms === null ? "–" : milliseconds(status.watermark_lag_ms));
  set("p50", milliseconds(latency_ms.p50));
  set("p99", milliseconds(latency_ms.p99));
  set("messages", count(counts.messages));
  set("undecodable", count(counts.undecodable));
  set("quarantined", count(counts.quarantined + counts.events_quarantined));
  set("duplicates", count(counts.duplicates + counts.event_duplicates));
  const balanced = addsUp(counts);
  set("balance", balanced ? "✓ balanced" : "✗ does not add up", !balanced);
}

/** The conservation law: nothing is dropped in silence. */
export function addsUp(counts) {
  return (
    counts.messages === counts.decoded + counts.undecodable &&
    counts.readings === counts.applied + counts.duplicates + counts.quarantined &&
    counts.applied === counts.on_time + counts.corrections + counts.late &&
    counts.events === counts.events_applied + counts.event_duplicates + counts.events_quarantined
  );
}
