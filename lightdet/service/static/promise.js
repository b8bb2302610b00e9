// Whether the promise holds for the pictures as they are now: in large if it is suspended.

import { $ } from "./dom.js";

// `promise` as the service gives it with its model, or with an answer of a moment ago by the model's own rule. Of a
// model that promises nothing, it is not suspended: what was told of another one must not stay.
export function tellPromise(promise) {
  if (!promise) return;
  $("suspended").hidden = !promise.suspended;
  const text = promise.suspended ? promise.text.replace(/^suspended: /, "") : "";
  if ($("suspended-why").textContent !== text) $("suspended-why").textContent = text;
}
