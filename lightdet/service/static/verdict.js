// The verdict in large: the service's own word, grey as soon as the service is gone.

import { $ } from "./dom.js";
import { age } from "./times.js";

const ICONS = { OK: "✓", NG: "✕" };
const START = { own: false, word: "Ready", why: "Drop a picture, choose one, or use the camera", at: null };
const state = { ...START, gone: null };

// `word`: OK, NG, or what stands in place of a verdict; `at`: when it was given, milliseconds since 1970;
// `own`: decided by a caller's own threshold, which must not look like the service's verdict.
export function give(word, why, at = Date.now(), own = false) {
  Object.assign(state, { word, why, at, own });
  draw();
}

// `reason`: why the service gives no verdicts now; null while it does.
export function setGone(reason) {
  if (reason === null && state.gone === null) return;
  state.gone = reason;
  draw();
}

function draw() {
  const { word, why, at, own, gone } = state;
  const kind = !ICONS[word] ? "none" : own ? "own" : word.toLowerCase();
  write("verdict-icon", gone || own ? "" : ICONS[word] ?? "");
  if (gone && kind === "none") {
    write("verdict-word", "No service");
    write("verdict-why", gone);
  } else {
    write("verdict-word", word);
    write("verdict-why", gone ? `${age(Date.now() - at)} old: ${gone}` : why);
  }
  $("verdict").setAttribute("aria-live", gone ? "off" : "assertive"); // no one wants the age read every second
  $("verdict").classList.remove("ok", "ng", "none", "own", "stale");
  $("verdict").classList.add(gone && kind !== "none" ? "stale" : kind);
}

// Only what changed: the verdict is read aloud with every change of its text.
function write(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}
