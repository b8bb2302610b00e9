// What a model has missed: boxes that a person draws on the picture who corrects a verdict.

import { $, make } from "./dom.js";
import { color } from "./colors.js";
import { drawOver } from "./over.js";
import * as zoom from "./zoom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const state = { canvas: null, on: false, result: null, marks: [], model: null, classes: [], number: 0, changed: () => {} };

// `classesOf(name)`: asks for those of a model; `pause()` is called when drawing begins, so that no other picture takes
// the place of this one.
export function setUp(classesOf, pause) {
  Object.assign(state, { classesOf, pause });
}

// Offers the classes of the model that decided.
async function offer({ model: { name } }) {
  if (name === state.model) return;
  Object.assign(state, { model: name, classes: [] });
  try {
    const classes = await state.classesOf(name);
    if (name !== state.model) return;
    state.classes = classes;
    $("draw-class").replaceChildren(...classes.map((each) => make("option", { value: each }, each)));
    refresh();
  } catch {
    state.model = null; // asked again with the next inspection
  }
}

export const hear = (changed) => { state.changed = changed; };

// Begins with another inspection, null: with none. What was drawn is forgotten.
export function restart(result) {
  stop();
  Object.assign(state, { result, marks: [] });
  if (result) offer(result);
  refresh();
}

export const drawnBoxes = () => state.marks.map(({ name, box }) => ({ name, box: box.map((value) => Math.round(value * 100) / 100) }));

// The names of the drawn boxes, at the picture's present size.
export function drawDrawn(moving = null) {
  if (!state.result) return;
  const marks = state.marks.map((mark) => ({ ...mark, label: labelOf(mark.name), box: moving?.key === mark.key ? moving.box : mark.box }));
  drawOver(state.on ? marks : [], [], state.result.size, zoom.scale());
}

const labelOf = (name) => Math.max(0, state.classes.indexOf(name));
const markOf = (key) => state.marks.find((mark) => mark.key === key);
const selected = () => (state.on ? markOf(state.canvas.selected()) : undefined);

// --- drawing ------------------------------------------------------------------------------------------------

async function begin() {
  const { result } = state;
  state.pause();
  try {
    await $("picture").decode();
    state.canvas ??= await load();
  } catch {
    tell("The picture cannot be drawn on here.");
    return;
  }
  if (result !== state.result || state.on) return; // another one was opened meanwhile
  state.on = true;
  zoom.setDrawing(true);
  state.canvas.begin(result.size);
  state.canvas.show(state.marks);
  refresh();
  $("drop").scrollIntoView({ block: "nearest" });
}

function stop() {
  if (!state.on) return;
  state.canvas.end();
  state.on = false;
  zoom.setDrawing(false);
}

// Only who draws needs the library.
async function load() {
  await new Promise((go, fail) => {
    document.head.prepend(make("link", { rel: "stylesheet", href: "static/annotorious.css" }));
    document.head.append(make("script", { src: "static/annotorious.js", onload: go, onerror: fail }));
  });
  const canvas = await import("./canvas.js");
  canvas.setUp({
    drawn: add,
    changed(key, box) {
      markOf(key).box = box;
      refresh();
    },
    moving() {
      const key = canvas.selected();
      if (markOf(key)) drawDrawn({ key, box: canvas.boxOf(key) });
    },
    selected: refresh,
    clicked() {},
    pinch: zoom.grab,
  }, (key) => color(labelOf(markOf(key)?.name)));
  return canvas;
}

function add(box) {
  const mark = { key: `drawn-${state.number += 1}`, box, name: $("draw-class").value };
  state.marks.push(mark);
  state.canvas.add(mark);
  state.canvas.select(mark.key);
  refresh();
  state.changed();
}

function addInTheMiddle() {
  const [x1, y1, x2, y2] = zoom.visible();
  const at = (from, to, share) => from + share * (to - from);
  add(state.canvas.within([at(x1, x2, 0.375), at(y1, y2, 0.375), at(x1, x2, 0.625), at(y1, y2, 0.625)]));
}

function remove(key) {
  state.marks = state.marks.filter((mark) => mark.key !== key);
  if (state.on) state.canvas.remove(key);
  refresh();
  state.changed();
}

// Moves a box, or with `corner` its lower right corner, by pixels of the picture.
function nudge(mark, [right, down], corner) {
  const [x1, y1, x2, y2] = mark.box, [width, height] = state.result.size;
  const left = Math.max(0, Math.min(width - (x2 - x1), x1 + right)), top = Math.max(0, Math.min(height - (y2 - y1), y1 + down));
  mark.box = corner
    ? state.canvas.within([x1, y1, Math.max(x1 + 1, x2 + right), Math.max(y1 + 1, y2 + down)])
    : [left, top, left + x2 - x1, top + y2 - y1];
  state.canvas.move(mark);
  refresh();
}

// --- showing ------------------------------------------------------------------------------------------------

function refresh() {
  const { result, on, marks } = state;
  const present = selected();
  $("stage").classList.toggle("drawing", on);
  $("wrong-missed").hidden = !result || Boolean(result.rule.bad) || !state.classes.length; // a classifier draws no boxes
  $("draw").disabled = !$("picture").getAttribute("src");
  $("draw").setAttribute("aria-pressed", String(on));
  $("draw").textContent = on ? "End drawing" : "Draw boxes";
  $("draw-new").hidden = !on;
  if (present) $("draw-class").value = present.name;
  $("drawn").replaceChildren(...marks.map((mark, index) => row(mark, index, mark === present)));
  tell(noteOf());
  if (on) state.canvas.repaint();
  drawDrawn();
}

function row({ key, name, box: [x1, y1, x2, y2] }, index, isPresent) {
  const size = `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)}`;
  const choose = async () => { if (!state.on) await begin(); if (state.on) state.canvas.select(key); refresh(); };
  return make("li", {},
    make("button", { class: "small", type: "button", "aria-current": String(isPresent), onclick: choose }, `${name} ${size}`),
    make("button", { class: "small", type: "button", "aria-label": `Remove ${name}, drawn box ${index + 1}`, onclick: () => remove(key) }, "Remove"));
}

function noteOf() {
  const { result, on } = state;
  if (!result) return "";
  if ($("draw").disabled) return "No picture is kept: there is nothing to draw on.";
  const kept = result.original ? "" : "This picture is not kept (serve --keep): its boxes are recorded, but nothing can be trained with them.";
  const small = on && $("picture").naturalWidth < 0.9 * result.size[0] ? "Only a small copy is shown: these boxes are rough." : "";
  const how = on ? "Drag on the picture. Arrow keys move the chosen box, with Shift its lower right corner." : "";
  return [how, small, kept].filter(Boolean).join(" ");
}

function tell(text) {
  if ($("draw-note").textContent !== text) $("draw-note").textContent = text;
}

// --- wiring -------------------------------------------------------------------------------------------------

$("draw").addEventListener("click", () => {
  if (!state.on) return begin();
  stop();
  return refresh();
});
$("draw-new").addEventListener("click", addInTheMiddle);
$("draw-class").addEventListener("change", () => {
  const mark = selected();
  if (!mark) return;
  mark.name = $("draw-class").value;
  refresh();
});
$("wrong").addEventListener("toggle", () => { if (!$("wrong").open) { stop(); refresh(); } });

// Before the page's own keys, and before Annotorious, which has an undo of its own.
addEventListener("keydown", (event) => {
  if (!state.on || event.target.matches?.("input, select, textarea") || $("key-dialog").open) return;
  const control = event.ctrlKey || event.metaKey, mark = selected(), arrow = ARROWS[event.key];
  const undoes = control && ["z", "y"].includes(event.key.toLowerCase());
  const deletes = mark && ["Delete", "Backspace"].includes(event.key), leaves = event.key === "Escape";
  if (!(mark && arrow) && !undoes && !deletes && !leaves) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (mark && arrow) nudge(mark, arrow.map((way) => way * (control ? 10 : 1)), event.shiftKey);
  else if (deletes) remove(mark.key);
  else if (leaves && mark) { state.canvas.select(null); refresh(); } else if (leaves) { stop(); refresh(); }
}, true);
