// What a model proposes: shown from a score on, accepted or dismissed.

import { $ } from "./dom.js";
import { call } from "./calls.js";
import { showProposals } from "./lists.js";

const ALIKE = 0.5; // a proposal that overlaps a box by this much (IoU) is already there
const state = { model: null, id: null, found: [], dismissed: new Map(), waiting: false, links: null };

// `links`: {marks() the present boxes, labelOf(name), accept(list), redraw()}.
export function setUp(links) {
  state.links = links;
}

export function begin(model) {
  state.model = model;
  $("model-panel").hidden = !model;
  $("model").textContent = model ?? "";
}

export async function open(id) {
  Object.assign(state, { id, found: [], waiting: Boolean(state.model) });
  refresh();
  if (!state.model) return;
  let told;
  try { told = await call("GET", `pictures/${id}/proposals`); } catch (error) { told = { proposals: [], why: error.message }; }
  if (state.id !== id) return;
  Object.assign(state, { found: told.proposals, waiting: false, why: told.why ?? "" });
  refresh();
  state.links.redraw();
}

const threshold = () => Number($("threshold").value);
const gone = () => state.dismissed.get(state.id) ?? new Set();

// Those from the chosen score on that are neither dismissed nor there already.
export function shown() {
  const marks = state.links.marks();
  return state.found.map((each, index) => ({ ...each, index, label: state.links.labelOf(each.name) }))
    .filter(({ score, box, index, label }) => score >= threshold() && label >= 0 && !gone().has(index)
      && !marks.some((mark) => overlap(mark.box, box) >= ALIKE));
}

export function refresh() {
  $("threshold-value").textContent = threshold().toFixed(2);
  if (!state.model) return;
  const those = shown();
  showProposals(those, { accept: (each) => state.links.accept([each]), dismiss });
  $("proposals-note").textContent = state.waiting ? "The model is looking…" : state.why || (those.length ? "" : "Nothing new from this score on.");
  $("accept").disabled = those.length === 0;
}

function dismiss({ index }) {
  state.dismissed.set(state.id, gone().add(index));
  refresh();
  state.links.redraw();
}

export function acceptAll() {
  const those = shown();
  if (state.model && those.length) state.links.accept(those);
}

// A click on a proposal accepts it: the smallest one there.
export function acceptAt([x, y]) {
  const inside = ([x1, y1, x2, y2]) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
  if (state.links.marks().some(({ box }) => inside(box))) return;
  const [smallest] = shown().filter(({ box }) => inside(box)).sort((a, b) => area(a.box) - area(b.box));
  if (smallest) state.links.accept([smallest]);
}

const area = ([x1, y1, x2, y2]) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);

function overlap(a, b) {
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both / Math.max(1e-9, area(a) + area(b) - both);
}

$("threshold").addEventListener("input", () => { refresh(); state.links.redraw(); });
$("accept").addEventListener("click", acceptAll);
