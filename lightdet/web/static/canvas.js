// The boxes on the picture: Annotorious shows, moves and resizes them; this gives it our boxes and hears of its changes.

import { $ } from "./dom.js";

const LEAST = 1; // pixels that a side keeps
const DRAG = 4; // pixels of the screen from which on a drag draws a box, across and down
const state = { annotator: null, size: [1, 1], unit: 1, silent: false, dirty: new Set(), made: new Set(), colors: () => "#fff", hear: {} };

// `hear`: {drawn(box), changed(key, box), moving(), selected(), clicked([x, y]), pinch(event)}; `colors(key)` a box's colour.
export function setUp(hear, colors) {
  Object.assign(state, { hear, colors });
}

// Begins with another picture, once it is loaded; boxes are in the pixels of `size`, also on a smaller copy of it.
export function begin(size) {
  end();
  Object.assign(state, { size, unit: ($("picture").naturalWidth || size[0]) / size[0] });
  const { createImageAnnotator, UserSelectAction } = window.Annotorious;
  const annotator = createImageAnnotator($("picture"), {
    userSelectAction: UserSelectAction?.EDIT ?? "EDIT", drawingMode: "drag", theme: "light", style: styleOf,
  });
  state.annotator = annotator;
  layer().setAttribute("aria-label", "Boxes on the picture");
  // Its corners call themselves buttons, and do nothing at a key: the arrow keys are for that.
  new MutationObserver(() => {
    for (const corner of layer()?.querySelectorAll(".a9s-handle-buffer[role]") ?? []) {
      corner.removeAttribute("role");
      corner.removeAttribute("tabindex");
    }
  }).observe(layer(), { childList: true, subtree: true });
  annotator.state.store.observe(({ changes }) => {
    if (state.silent) return;
    for (const made of changes.created ?? []) state.made.add(made.id);
    for (const { newValue } of changes.updated ?? []) state.dirty.add(newValue.id);
    state.hear.moving();
    if (!pointerIsDown) settle();
  });
  annotator.state.selection.subscribe(() => { if (!state.silent) state.hear.selected(selected()); });
}

export function end() {
  state.annotator?.destroy();
  state.annotator = null;
  state.dirty.clear();
  state.made.clear();
}

const layer = () => $("frame").querySelector(".a9s-annotationlayer");

// Shows exactly these boxes: {key, box}.
export function show(marks) {
  quietly(() => {
    state.annotator?.setAnnotations(marks.map(annotationOf), true);
  });
}

export function add(mark) {
  quietly(() => state.annotator.state.store.addAnnotation(annotationOf(mark)));
}

export function remove(key) {
  quietly(() => state.annotator.removeAnnotation(key));
}

// Puts a box elsewhere.
export function move({ key, box }) {
  quietly(() => state.annotator?.state.store.updateTarget(annotationOf({ key, box }).target));
}

export function select(key) {
  quietly(() => state.annotator?.setSelected(key ?? undefined, true));
}

export const selected = () => state.annotator?.state.selection.selected?.[0]?.id ?? null;
export const boxOf = (key) => readBox(state.annotator.getAnnotationById(key));
export const repaint = () => state.annotator?.setStyle((annotation) => styleOf(annotation));

function quietly(work) {
  const before = state.silent;
  state.silent = true;
  try { work(); } finally { state.silent = before; }
}

function annotationOf({ key, box }) {
  const [x1, y1, x2, y2] = box.map((value) => value * state.unit);
  const geometry = {
    x: x1, y: y1, w: x2 - x1, h: y2 - y1, rot: 0, bounds: { minX: x1, minY: y1, maxX: x2, maxY: y2 },
  };
  return { id: key, bodies: [], target: { annotation: key, selector: { type: "RECTANGLE", geometry } } };
}

function styleOf(annotation) {
  return { stroke: state.colors(annotation.id), strokeWidth: 2.5, fill: "#ffffff", fillOpacity: 0.06 };
}

function readBox(annotation) {
  const { x, y, w, h } = annotation.target.selector.geometry;
  return within([x, y, x + w, y + h].map((value) => value / state.unit));
}

// A box cut at the picture's border.
export function within([x1, y1, x2, y2]) {
  const [width, height] = state.size;
  const left = Math.min(Math.max(0, Math.min(x1, x2)), width - LEAST), top = Math.min(Math.max(0, Math.min(y1, y2)), height - LEAST);
  return [left, top, Math.max(left + LEAST, Math.min(width, Math.max(x1, x2))), Math.max(top + LEAST, Math.min(height, Math.max(y1, y2)))];
}

// Tells of what was drawn or moved, once the pointer is up.
function settle() {
  for (const key of [...state.dirty]) {
    state.dirty.delete(key);
    const annotation = state.annotator.getAnnotationById(key);
    if (!annotation) continue;
    const box = readBox(annotation);
    move({ key, box }); // with clean edges
    state.hear.changed(key, box);
  }
}

// --- pointers -----------------------------------------------------------------------------------------------

let pointerIsDown = false;
let press = null;
const touching = new Set();

addEventListener("pointerdown", (event) => {
  if (!event.isTrusted) return;
  pointerIsDown = true;
  const inside = event.button === 0 && layer()?.contains(event.target);
  const changes = inside && event.target.closest(".a9s-annotation.selected") ? selected() : null;
  const draws = inside && !changes;
  press = { at: [event.clientX, event.clientY], time: performance.now(), draws, changes };
  if (draws) layer().setPointerCapture(event.pointerId); // so that a drag may end beside the picture
}, true);

// A drag is a box of ours: Annotorious drops small and quick ones, and those that end beside the picture. It shows the
// box while it is drawn.
for (const kind of ["pointerup", "pointercancel"]) {
  addEventListener(kind, (event) => {
    if (!event.isTrusted) return;
    touching.delete(event.pointerId);
    const began = press;
    press = null;
    const moved = began ? [event.clientX - began.at[0], event.clientY - began.at[1]].map(Math.abs) : [0, 0];
    const draws = kind === "pointerup" && began?.draws;
    setTimeout(() => { // after Annotorious has heard of it
      pointerIsDown = false;
      dropMade();
      if (!state.annotator) return;
      if (draws && Math.min(...moved) >= DRAG) {
        state.annotator.cancelDrawing();
        state.hear.drawn(within([...pointOf({ clientX: began.at[0], clientY: began.at[1] }), ...pointOf(event)]));
      } else if (draws && Math.hypot(...moved) < 5 && performance.now() - began.time < 500) state.hear.clicked(pointOf(event));
      settle();
      // A quick move counts as a click beside the box for Annotorious: the box stays selected all the same.
      if (began?.changes && Math.hypot(...moved) >= DRAG && !selected()) select(began.changes);
    });
  }, true);
}

function dropMade() {
  for (const key of state.annotator ? state.made : []) quietly(() => state.annotator.removeAnnotation(key));
  state.made.clear();
}

function pointOf(event) {
  const bounds = layer().getBoundingClientRect();
  return [(event.clientX - bounds.left) / bounds.width * state.size[0], (event.clientY - bounds.top) / bounds.height * state.size[1]];
}

// A second finger means zooming: what the first one began to draw is dropped.
$("drop").addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "touch" || !event.isTrusted || !state.annotator) return;
  touching.add(event.pointerId);
  if (touching.size > 1) {
    state.annotator?.cancelDrawing();
    press = null;
    event.stopPropagation();
    state.hear.pinch(event);
  }
}, true);

// While a box is selected, Annotorious draws no other. A press beside it ends the selection and begins a box at once.
$("frame").addEventListener("pointerdown", async (event) => {
  if (event.button !== 0 || !event.isTrusted || !selected() || touching.size > 1) return;
  if (event.target.closest?.(".a9s-annotation.selected") || !layer()?.contains(event.target)) return;
  state.annotator.cancelSelected();
  await new Promise((go) => setTimeout(go));
  if (!press || touching.size > 1) return;
  const bounds = layer().getBoundingClientRect();
  const again = new PointerEvent("pointerdown", {
    bubbles: false, clientX: event.clientX, clientY: event.clientY, pointerId: event.pointerId, pointerType: event.pointerType,
  });
  Object.defineProperties(again, { // not every browser computes them for an event that a script made
    offsetX: { value: event.clientX - bounds.left }, offsetY: { value: event.clientY - bounds.top },
  });
  layer().dispatchEvent(again);
}, true);
