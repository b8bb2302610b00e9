// Which findings are right: ticked by a person who corrects a verdict, and recorded as boxes for training.

import { $, make } from "./dom.js";

const MOST = 1000; // as many as the service takes
const state = { id: null, right: new Map() }; // index → whether it is ticked

// Lists the findings of a result, ticked where they count; what was ticked by hand stays while it is shown.
export function drawTicks(result) {
  if (result?.id !== state.id) restart(result);
  const found = result && !result.rule.bad ? result.detections : []; // a classifier finds no boxes
  const listed = found.map((each, index) => ({ each, index }))
    .filter(({ each, index }) => each.defect || state.right.get(index) || $("weak").checked).slice(0, MOST);
  $("wrong-findings").hidden = listed.length === 0;
  $("wrong-list").replaceChildren(...listed.map(({ each, index }) => tick(each, index)));
}

function restart(result) {
  state.id = result?.id ?? null;
  state.right = new Map((result?.detections ?? []).map((each, index) => [index, each.defect]));
  $("wrong-whole").checked = false;
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
    ? "The ticked boxes are recorded, for the next training."
    : "No boxes are recorded. What is missing is drawn later: lightdet data collect, lightdet label.";
}

// The boxes to record with a decision: null for none, or in `fault` why they cannot be recorded.
export function tickedBoxes(result, decision) {
  if ($("wrong-findings").hidden || !$("wrong-whole").checked) return { boxes: null };
  const boxes = result.detections.filter((_, index) => state.right.get(index)).map(({ name, box }) => ({ name, box }));
  if (decision === "OK" && boxes.length) return { fault: "Findings are ticked as right: tick them off, or it is not OK." };
  if (decision === "NG" && !boxes.length) return { fault: "Tick the findings that are right, or say that something is missing." };
  return { boxes };
}

$("wrong-whole").addEventListener("change", tell);
