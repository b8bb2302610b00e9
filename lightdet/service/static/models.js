// The models of the service: where there are several, a person chooses which one judges here.

import { getJson } from "./api.js";
import { $, make } from "./dom.js";

const KEPT = "lightdet-model";
const state = { names: [], chosen: null };

// Asks which there are; `changed()` is called when another one is chosen.
export async function setUp(changed) {
  state.names = (await getJson("api/models")).models.map(({ name }) => name);
  const kept = new URLSearchParams(location.search).get("model") ?? sessionStorage.getItem(KEPT);
  state.chosen = state.names.includes(kept) ? kept : state.names[0];
  if (state.names.length < 2) return;
  offer($("model-choice"));
  $("model-choice").value = state.chosen;
  $("model-choice").addEventListener("change", () => {
    state.chosen = $("model-choice").value;
    sessionStorage.setItem(KEPT, state.chosen);
    changed();
  });
  for (const element of document.querySelectorAll(".several")) element.hidden = false;
}

export const names = () => state.names;

// The classes of the model of this name; of all models if it is not served any more.
export async function classesOf(name) {
  const asked = state.names.includes(name) ? [name] : state.names;
  const found = await Promise.all(asked.map((each) => getJson(`api/model?model=${encodeURIComponent(each)}`)));
  return [...new Set(found.flatMap(({ classes }) => classes))];
}

// The parameters for what the chosen model decided; none where there is only one.
export const filter = () => (state.names.length > 1 ? { model: state.chosen } : {});

// Puts the names into a list to choose from.
export function offer(select) {
  select.append(...state.names.map((name) => make("option", { value: name }, name)));
}

// An address that is meant for the chosen model.
export function address(path) {
  const name = encodeURIComponent(state.chosen);
  return `${path}${path.includes("?") ? "&" : "?"}model=${name}`;
}
