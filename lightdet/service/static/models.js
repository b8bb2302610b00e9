// The models of the service: where there are several, a person chooses which one judges here.

import { getJson } from "./api.js";
import { $, make } from "./dom.js";

const KEPT = "lightdet-model";
const state = { names: [], chosen: null, said: true };

// Asks which there are; `changed()` is called when another one is chosen. Where pictures are judged (`judging`), a person
// has to choose: the first model must not judge because nobody said another one.
export async function setUp(changed, judging = false) {
  state.names = (await getJson("api/models")).models.map(({ name }) => name);
  const kept = new URLSearchParams(location.search).get("model") ?? sessionStorage.getItem(KEPT);
  state.chosen = state.names.includes(kept) ? kept : state.names[0];
  if (state.names.length < 2) return;
  state.said = !judging || state.chosen === kept;
  if (!state.said) $("model-choice").append(make("option", { value: "", disabled: true }, "choose one"));
  offer($("model-choice"));
  $("model-choice").value = state.said ? state.chosen : "";
  $("model-choice").addEventListener("change", () => {
    state.chosen = $("model-choice").value;
    state.said = true;
    sessionStorage.setItem(KEPT, state.chosen);
    changed();
  });
  for (const element of document.querySelectorAll(".several")) element.hidden = false;
}

export const names = () => state.names;

// Whether a person has said which one judges.
export const isChosen = () => state.said;

// The address that judges by the chosen model; without one the service refuses the picture and names the models.
export const judging = (path) => (state.said ? address(path) : path);

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
