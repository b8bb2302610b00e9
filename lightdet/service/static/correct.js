// What people say of an inspection later: each remark is a record of its own, and none is ever changed.

import { call } from "./api.js";
import { $, make } from "./dom.js";
import { drawTicks, forgetTicks, tickedBoxes } from "./ticks.js";
import { when } from "./times.js";

const state = { result: null };

const said = ({ decision, note, key, time, boxes }) => make("li", {},
  make("strong", {}, decision ? `${decision}: ` : ""), note,
  make("span", { class: "soft" }, ` ${[right(boxes), key, when(time)].filter(Boolean).join(", ")}`));

const right = (boxes) => boxes && (boxes.length ? `right: ${boxes.map(({ name }) => name).join(", ")}` : "no finding is right");

// Shows what was said of this inspection; null: nothing is shown.
export function drawCorrections(result) {
  if (result?.id !== state.result?.id) close();
  state.result = result;
  $("wrong").hidden = !result;
  drawTicks(result);
  const corrections = result?.corrections ?? [];
  $("corrections").hidden = corrections.length === 0;
  $("corrections").replaceChildren(...corrections.map(said));
}

function close() {
  $("wrong").open = false;
  $("wrong-note").value = "";
  $("wrong-told").textContent = "";
  forgetTicks(state.result);
}

async function send(decision) {
  const { result } = state;
  const note = $("wrong-note").value.trim();
  if (!note) {
    $("wrong-told").textContent = "Say why, in a few words.";
    $("wrong-note").focus();
    return;
  }
  const { boxes, fault } = tickedBoxes(result, decision);
  if (fault) {
    $("wrong-told").textContent = fault;
    return;
  }
  const body = JSON.stringify({ decision, note, boxes });
  const headers = { "Content-Type": "application/json" };
  for (const button of $("wrong-buttons").children) button.disabled = true;
  try {
    const answer = await call(`api/inspections/${result.id}/corrections`, { method: "POST", body, headers });
    result.corrections = [...(result.corrections ?? []), await answer.json()];
    if (state.result === result) {
      close();
      drawCorrections(result);
      $("wrong-told").textContent = "Recorded.";
      $("wrong-title").focus();
    }
  } catch (error) {
    $("wrong-told").textContent = error.message;
  } finally {
    for (const button of $("wrong-buttons").children) button.disabled = false;
  }
}

for (const [id, decision] of [["wrong-ok", "OK"], ["wrong-ng", "NG"], ["wrong-remark", null]]) {
  $(id).addEventListener("click", () => send(decision));
}
// Letters written here are no shortcuts of the page.
$("wrong-note").addEventListener("keydown", (event) => { if (event.key !== "Escape") event.stopPropagation(); });
