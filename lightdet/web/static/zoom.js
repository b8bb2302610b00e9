// A closer look: the picture is as large as the stage allows, or larger and moved about.

import { $ } from "./dom.js";

const STEP = 1.5, MOST = 32; // screen pixels per picture pixel
const state = { size: null, factor: 1, center: [0.5, 0.5], redraw: () => {}, pans: () => isZoomed(), drawing: false };
const fingers = new Map(); // pointer → where it was last

// `redraw()` draws what depends on the size of the picture on the screen. Where one draws on the picture, `pans()` says
// whether a pointer that is down moves it at present, and the wheel zooms without a key.
export function setUp(redraw, pans = null) {
  state.redraw = redraw;
  if (pans) Object.assign(state, { pans, drawing: true });
}

// Whether one draws on the picture from now on, where that begins and ends.
export function setDrawing(on) {
  Object.assign(state, { drawing: on, pans: on ? () => false : isZoomed });
}

// What the screen shows of the picture: [x1, y1, x2, y2] in its pixels.
export function visible() {
  const room = roomOf(), shown = shownSize();
  return [0, 1, 2, 3].map((i) => {
    const axis = i % 2, half = [room.width, room.height][axis] / 2 / shown[axis];
    const share = state.center[axis] + (i < 2 ? -half : half);
    return Math.max(0, Math.min(1, share)) * state.size[axis];
  });
}

// Screen pixels per picture pixel.
export const scale = () => wholeScale() * state.factor;

// Shows a picture of `size` [width, height] as a whole.
export function begin(size) {
  Object.assign(state, { size, factor: 1, center: [0.5, 0.5] });
  lay();
}

// Looks at one box [x1, y1, x2, y2] of the picture with some of what is around it.
export function lookAtBox([x1, y1, x2, y2]) {
  const [width, height] = state.size;
  const room = roomOf();
  const around = Math.min(room.width / (3 * Math.max(1, x2 - x1)), room.height / (3 * Math.max(1, y2 - y1)));
  state.center = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height];
  setFactor(around / wholeScale());
}

// Larger (`times` above 1) or smaller around a place on the screen, the middle where none is given.
export function zoomBy(times, at = null) {
  if (!state.size) return;
  const room = $("drop").getBoundingClientRect();
  const away = at ? [at[0] - room.left - room.width / 2, at[1] - room.top - room.height / 2] : [0, 0];
  const before = shownSize();
  const under = state.center.map((share, i) => share + away[i] / before[i]);
  state.factor = bounded(state.factor * times);
  const after = shownSize();
  state.center = under.map((share, i) => share - away[i] / after[i]);
  lay();
}

// Moves the picture by pixels of the screen.
export function moveBy(right, down) {
  const shown = shownSize();
  state.center = [state.center[0] - right / shown[0], state.center[1] - down / shown[1]];
  lay();
}

export const isZoomed = () => state.factor > 1;

export function whole() {
  if (state.size) begin(state.size);
}

function setFactor(factor) {
  state.factor = bounded(factor);
  lay();
}

const roomOf = () => ({ width: $("drop").clientWidth, height: $("drop").clientHeight });

function wholeScale() {
  const room = roomOf();
  return Math.max(1e-6, Math.min(room.width / state.size[0], room.height / state.size[1]));
}

const bounded = (factor) => Math.max(1, Math.min(factor, MOST / wholeScale()));
const shownSize = () => state.size.map((side) => Math.max(1, side * wholeScale() * state.factor));

export function lay() {
  if (!state.size) return;
  const room = roomOf();
  state.factor = bounded(state.factor);
  const shown = shownSize();
  // What does not fill the stage stands in its middle; what does leaves no edge of it empty.
  state.center = state.center.map((share, i) => {
    const half = [room.width, room.height][i] / 2 / shown[i];
    return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, share));
  });
  const [x, y] = state.center.map((share) => -100 * share);
  const frame = $("frame");
  frame.style.width = `${shown[0]}px`;
  frame.style.aspectRatio = `${state.size[0]} / ${state.size[1]}`;
  frame.style.transform = `translate(${x}%, ${y}%)`;
  const scale = shown[0] / state.size[0];
  frame.classList.toggle("near", scale > 3);
  $("drop").classList.toggle("zoomed", isZoomed());
  $("zoom-value").textContent = `${Math.round(100 * scale)} %`;
  state.redraw();
}

// --- wheel, fingers, buttons --------------------------------------------------------------------------------

const onButtons = (event) => $("zoom").contains(event.target);

// A wheel alone scrolls the page; with Ctrl, which is also what pinching on a touchpad sends, it zooms.
$("drop").addEventListener("wheel", (event) => {
  if (!(event.ctrlKey || state.drawing) || !state.size) return;
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY / 300), [event.clientX, event.clientY]);
}, { passive: false });

$("drop").addEventListener("dblclick", (event) => {
  if (onButtons(event) || state.drawing) return;
  if (isZoomed()) whole();
  else zoomBy(STEP ** 3, [event.clientX, event.clientY]);
});

$("drop").addEventListener("pointerdown", (event) => {
  if (event.button === 0 && !onButtons(event)) grab(event);
});

// Follows a pointer from here on.
export function grab(event) {
  if (state.size) fingers.set(event.pointerId, [event.clientX, event.clientY]);
}

addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  fingers.set(event.pointerId, now);
  if (other) zoomBy(distance(now, other) / Math.max(1, distance(before, other)), middle(now, other));
  else if (state.pans()) moveBy(now[0] - before[0], now[1] - before[1]);
});

// While it is captured: who draws may keep it from coming back up.
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, (event) => fingers.delete(event.pointerId), true);
$("drop").addEventListener("dragstart", (event) => event.preventDefault()); // the picture itself is not dragged away

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

$("zoom-in").addEventListener("click", () => zoomBy(STEP));
$("zoom-out").addEventListener("click", () => zoomBy(1 / STEP));
$("zoom-fit").addEventListener("click", whole);
