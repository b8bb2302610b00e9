// Whether the promise holds for the pictures as they are now: in large if not.

import { $ } from "./dom.js";

// `promise` as the service gives it with its model, or with an answer of a moment ago.
export function tellPromise(promise) {
  if (!promise || (!promise.holds && !promise.suspended)) return;
  $("suspended").hidden = promise.holds;
  const text = promise.holds ? "" : promise.text.replace(/^suspended: /, "");
  if ($("suspended-why").textContent !== text) $("suspended-why").textContent = text;
}
