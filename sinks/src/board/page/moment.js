// The service's own time. It runs on by the browser's counter, never by its clock: a screen whose clock is wrong shows
// right ages.

let at_ms = null;
let heard = 0;

/** The service has said what time it is. */
export function hearMoment(said_ms) {
  at_ms = said_ms;
  heard = performance.now();
}

/** What time it is now; null before the service has said so. */
export const momentNow = () => (at_ms === null ? null : at_ms + (performance.now() - heard));
