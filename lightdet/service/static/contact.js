// Whether the service is there. In doubt it is not: an old OK must not stand over a line that nobody looks at.

import { $ } from "./dom.js";
import { setGone } from "./verdict.js";

const EVERY = 2000, PATIENCE = 4000, SILENCE = 10_000;
const state = { reason: null, seen: Date.now(), asking: false };

export async function check() {
  if (state.asking) return;
  state.asking = true;
  let text = "ready", reason = null;
  try {
    const ready = await (await fetch("ready", { signal: AbortSignal.timeout(PATIENCE) })).json();
    state.seen = Date.now();
    if (!ready.ready) text = reason = "the service is not ready";
    else if (ready.database !== "up") text = "database away: records are kept for later";
    else if (ready.pictures === "not kept") text = "pictures are not kept: see the log";
  } catch {
    text = reason = "the service is not reachable";
  }
  Object.assign(state, { reason, asking: false });
  show(text);
}

function show(text) {
  if ($("health").textContent !== text) $("health").textContent = text;
  $("health").className = `health ${text === "ready" ? "good" : "bad"}`;
  tick();
}

// After the sleep of this computer or of this tab, nothing is known until the next answer.
function tick() {
  const silent = Date.now() - state.seen > SILENCE ? "the service has not been heard of" : null;
  setGone(state.reason ?? silent);
}

export function watch() {
  setInterval(tick, 1000);
  setInterval(check, EVERY);
  document.addEventListener("visibilitychange", () => { tick(); check(); });
  return check();
}
