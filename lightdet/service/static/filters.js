// What of the history is wanted: by decision, name, class, model, station, order number and day.

import { $, make } from "./dom.js";

const TEXTS = { name: "search", model: "filter-model", station: "filter-station", order: "filter-order" };

// `changed()` is called when something else is wanted.
export function setUp(changed) {
  let typing;
  for (const id of ["filter", "filter-class", "filter-from", "filter-to"]) $(id).addEventListener("change", changed);
  for (const id of Object.values(TEXTS)) {
    $(id).addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(changed, 300); });
  }
  $("filter-clear").addEventListener("click", () => {
    for (const element of $("history").querySelectorAll(".tools select, .tools input")) element.value = "";
    changed();
  });
}

export function offerClasses(names) {
  const [any] = $("filter-class").children;
  $("filter-class").replaceChildren(any, ...names.map((name) => make("option", { value: name }, name)));
}

// Returns the parameters of what is wanted; none where all is.
export function wanted() {
  const found = new URLSearchParams();
  const add = (name, value) => { if (value) found.set(name, value); };
  add("decision", $("filter").value);
  add("class", $("filter-class").value);
  for (const [name, id] of Object.entries(TEXTS)) add(name, $(id).value.trim());
  add("since", midnight($("filter-from").value, 0));
  add("until", midnight($("filter-to").value, 1));
  return found;
}

// The beginning of a day on this computer's clock, or of one some days later.
function midnight(day, later) {
  if (!day) return "";
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
