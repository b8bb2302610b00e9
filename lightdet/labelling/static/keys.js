// The keyboard, and what moves the picture instead of drawing on it.

import { $ } from "./dom.js";
import { grab, whole, zoomBy } from "./zoom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const held = { space: false, middle: false };

// Whether a pointer that is down moves the picture.
export const isMoving = () => held.space || held.middle || $("hand").getAttribute("aria-pressed") === "true";

export function handIsDown() {
  $("drop").classList.toggle("hand", isMoving());
}

const writes = (element) => element.matches?.("input[type='text'], select, dialog *");
const presses = (element) => element.matches?.("button, summary, a, input");

// `hasSelected()`: whether a box is selected, so that the arrow keys move it.
export function listenToKeys(actions, hasSelected) {
  const letters = {
    p: () => actions.go(-1), n: () => actions.go(1), u: () => actions.step("undo"), r: () => actions.step("redo"),
    b: actions.newBox, d: actions.doubtful, h: actions.hand, a: actions.acceptAll, 0: whole,
    "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5),
    Delete: () => actions.remove(), Backspace: () => actions.remove(), Escape: actions.unselect,
    PageDown: () => actions.go(1), PageUp: () => actions.go(-1),
  };

  addEventListener("keydown", (event) => {
    if ($("conflict").open || writes(event.target)) return;
    const control = event.ctrlKey || event.metaKey, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (control && (key === "z" || key === "y")) {
      event.preventDefault();
      event.stopImmediatePropagation(); // Annotorious has an undo of its own, which ends with the page
      actions.step(key === "y" || event.shiftKey ? "redo" : "undo");
      return;
    }
    const arrow = ARROWS[key];
    if (arrow && hasSelected() && event.target.type !== "range") {
      event.preventDefault();
      actions.nudge(arrow.map((way) => way * (control ? 10 : 1)), event.shiftKey);
      return;
    }
    if (control || event.altKey) return;
    if (key === " " && !presses(event.target)) {
      event.preventDefault();
      held.space = true;
      handIsDown();
    } else if (key === "Enter" && !presses(event.target)) actions.done();
    else if (/^[1-9]$/.test(key)) actions.classNumber(Number(key));
    else if (letters[key] && !event.repeat) {
      event.preventDefault();
      letters[key]();
    }
  }, true);

  addEventListener("keyup", (event) => { if (event.key === " ") release("space"); });
  addEventListener("blur", () => { release("space"); release("middle"); });
}

function release(what) {
  held[what] = false;
  handIsDown();
}

// Only the first button draws; the middle one moves the picture.
$("drop").addEventListener("pointerdown", (event) => {
  if (event.button === 0) return;
  event.stopPropagation();
  if (event.button !== 1) return;
  event.preventDefault();
  held.middle = true;
  handIsDown();
  grab(event);
}, true);
addEventListener("pointerup", (event) => { if (event.button === 1) release("middle"); }, true);
