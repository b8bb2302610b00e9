// Which boxes are right: findings that a person who corrects a verdict ticks, and boxes drawn by hand.

import { $, make } from "./dom.js";
import * as draw from "./draw.js";

const MOST = 1000; // as many as the service takes
const state = { id: null, right: new Map() }; // index → whether it is ticked

// Lists the findings of a result, ticked where they count; what was ticked by hand stays while it is shown.
export function drawTicks(result) {
  if (result?.id !== state.id) restart(result);
  const found = result && !result.rule.bad ? result.detections : []; // a classifier finds no boxes
  const listed = found.map((each, index) => ({ each, index }))
    .filter(({ each, index }) => each.defect || state.right.get(index) || $("weak").checked).slice(0, MOST);
  $("wrong-findings").hidden = listed.length === 0;
  offerAll();
  $("wrong-list").replaceChildren(...listed.map(({ each, index }) => tick(each, index)));
}

function restart(result) {
  state.id = result?.id ?? null;
  state.right = new Map((result?.detections ?? []).map((each, index) => [index, each.defect]));
  $("wrong-whole").checked = false;
  draw.restart(result);
  tell();
}

export const forgetTicks = (result) => { restart(result); drawTicks(result); };

function tick(each, index) {
  const light = (on) => $("boxes").querySelector(`g[data-index="${index}"]`)?.classList.toggle("lit", on);
  const box = make("input", { type: "checkbox", onfocus: () => light(true), onblur: () => light(false) });
  box.checked = state.right.get(index);
  box.addEventListener("change", () => {
    state.right.set(index, box.checked);
    $("wrong-whole").checked = true;
    tell();
  });
  return make("li", { onmouseenter: () => light(true), onmouseleave: () => light(false) },
    make("label", {}, box, ` ${index + 1}. ${each.name} `, make("span", { class: "soft" }, each.score.toFixed(2))));
}

function tell() {
  $("wrong-hint").textContent = $("wrong-whole").checked
    ? "The ticked and drawn boxes are recorded, for the next training."
    : "No boxes are recorded. Draw what is missing here, or later: lightdet data collect, lightdet label.";
}

const offerAll = () => { $("wrong-all").hidden = $("wrong-findings").hidden && !draw.drawnBoxes().length; };

// The boxes to record with a decision: null for none, or in `fault` why they cannot be recorded.
export function tickedBoxes(result, decision) {
  const drawn = draw.drawnBoxes();
  if ($("wrong-all").hidden) return { boxes: null };
  if (!$("wrong-whole").checked) {
    return drawn.length ? { fault: "Boxes are drawn: tick “Nothing else is missing”, or remove them." } : { boxes: null };
  }
  const boxes = [...result.detections.filter((_, index) => state.right.get(index)).map(({ name, box }) => ({ name, box })), ...drawn];
  if (decision === "OK" && drawn.length) return { fault: "Boxes are drawn: remove them, or it is not OK." };
  if (decision === "OK" && boxes.length) return { fault: "Findings are ticked as right: tick them off, or it is not OK." };
  if (decision === "NG" && !boxes.length) return { fault: "Tick the findings that are right, or draw what is missing." };
  return { boxes };
}

draw.hear(() => {
  if (draw.drawnBoxes().length) $("wrong-whole").checked = true;
  offerAll();
  tell();
});
$("wrong-whole").addEventListener("change", tell);
