// The lists beside the picture: classes, boxes, proposals, pictures.

import { $, make } from "./dom.js";
import { color } from "./colors.js";

const MOST = 400; // pictures that the list shows at once, around the present one
const SIGNS = { unlabelled: "○", labelled: "●", doubtful: "?", faulty: "!" };

export const swatch = (label) => {
  const square = make("span", { class: "swatch", "aria-hidden": "true" });
  square.style.background = color(label);
  return square;
};

export function showClasses(classes, current, choose) {
  replace($("classes"), classes.map(({ name, boxes }, index) => make("button", {
    type: "button", "aria-pressed": String(name === current), onclick: () => choose(name), "data-name": name,
    "aria-keyshortcuts": index < 9 ? String(index + 1) : null,
  }, swatch(index), make("span", { class: "what" }, name), make("span", { class: "more" }, boxes.toLocaleString()),
  index < 9 ? make("kbd", {}, String(index + 1)) : null)));
}

export function showBoxes(marks, selected, { select, remove }) {
  replace($("boxes"), marks.map(({ key, name, label, box, outline }, index) => make("li", {},
    make("button", { type: "button", "aria-current": String(key === selected), onclick: () => select(key), onfocus: () => select(key, true), "data-key": key },
      swatch(label), make("span", { class: "what" }, outline ? `${name} (outline)` : name),
      make("span", { class: "more" }, `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])}`)),
    make("button", { type: "button", "aria-label": `Delete box ${index + 1}, ${name}`, onclick: () => remove(key), "data-key": `x${key}` }, "✕"))));
}

export function showProposals(proposals, { accept, dismiss }) {
  replace($("proposals"), proposals.map((each, index) => make("li", {},
    make("button", { type: "button", "aria-label": `Accept ${each.name}, score ${each.score.toFixed(2)}`, onclick: () => accept(each), "data-key": `p${index}` },
      swatch(each.label), make("span", { class: "what" }, each.name), make("span", { class: "more" }, each.score.toFixed(2))),
    make("button", { type: "button", "aria-label": `Dismiss ${each.name}, score ${each.score.toFixed(2)}`, onclick: () => dismiss(each), "data-key": `d${index}` }, "✕"))));
}

export function showPictures(pictures, current, open) {
  const place = Math.max(0, pictures.findIndex(({ id }) => id === current));
  const first = Math.max(0, Math.min(place - MOST / 2, pictures.length - MOST));
  const shown = pictures.slice(first, first + MOST);
  replace($("pictures"), shown.map(({ id, name, state, boxes, fault }) => {
    const what = fault ? "faulty" : state;
    return make("li", {}, make("button", {
      type: "button", "aria-current": String(id === current), title: name, onclick: () => open(id), "data-key": `i${id}`,
    }, make("span", { class: "state", role: "img", "aria-label": fault ? "cannot be labelled" : state }, SIGNS[what]),
    make("span", { class: "what" }, name), make("span", { class: "more" }, boxes ? String(boxes) : "")));
  }));
  const left = pictures.length - shown.length;
  $("pictures-note").hidden = pictures.length > 0 && left === 0;
  $("pictures-note").textContent = pictures.length === 0 ? "None." : `and ${left.toLocaleString()} more before and after these`;
  const button = $("pictures").querySelector('[aria-current="true"]');
  if (button) $("pictures").scrollTop = button.offsetTop - $("pictures").offsetTop - $("pictures").clientHeight / 2;
}

// New elements for old ones; the focus stays with the one of the same key.
function replace(list, elements) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key ?? document.activeElement.dataset.name : null;
  list.replaceChildren(...elements);
  if (focused !== null) [...list.querySelectorAll("button")].find((each) => (each.dataset.key ?? each.dataset.name) === focused)?.focus();
}
