// The picture with its boxes, the findings beside it, and the trial view at another threshold.

import { download, saveBlob } from "./api.js";
import { drawBoxes, markedPicture } from "./boxes.js";
import { drawCorrections } from "./correct.js";
import { $, count, make } from "./dom.js";
import { drawDrawn } from "./draw.js";
import { clearFindings, drawFindings, lightSelected } from "./findings.js";
import { wouldCount } from "./rule.js";
import { when } from "./times.js";
import { drawZones } from "./zones.js";
import * as zoom from "./zoom.js";

const state = { result: null, trial: null, note: "", caption: "" };

export function shown() {
  return state.result;
}

export function say(message) {
  $("alert").hidden = !message;
  $("alert").textContent = message ?? "";
}

export function busy(text) {
  $("verdict").classList.toggle("busy", Boolean(text));
  $("caption").textContent = text ?? state.caption;
}

function setCaption(text) {
  state.caption = text;
  $("caption").textContent = text;
}

// OK, NG, or that there is none: a line records parts that it could not judge, with the reason as their rule.
export function decisionOf(result) {
  return result.rule.none ? "No verdict" : result.decision;
}

// "2 defects: red, green", by the service's rule; without a verdict, the reason
export function defectsOf(result) {
  if (result.rule.none) return result.rule.none;
  const names = [...new Set(result.detections.filter((each) => each.defect).map((each) => each.name))];
  return result.defects ? `${count(result.defects, "defect")}: ${names.join(", ")}` : "no defects";
}

// What could not be inspected has no picture: the one before must not stand under its name.
export function clear(name) {
  state.result = null;
  $("frame").hidden = true;
  $("empty").hidden = false;
  $("drop").classList.remove("filled");
  setCaption(name);
  $("zoom").hidden = true;
  clearFindings();
  $("facts").replaceChildren();
  $("save").hidden = true;
  drawCorrections(null);
  drawTrial();
}

// Shows a result on the picture at `url` (null: none is kept); `note` says what kind of picture that is.
export function show(result, url, note = "") {
  Object.assign(state, { result, note });
  $("frame").hidden = $("zoom").hidden = false;
  $("empty").hidden = true;
  $("drop").classList.add("filled");
  if (url) $("picture").src = url;
  else $("picture").removeAttribute("src");
  $("picture").alt = `Inspected picture ${result.name}`.trim();
  zoom.begin(result.size);
  draw();
}

// Looks at what is shown at another threshold, null: by the service's rule. Nothing is decided by it.
export function tryThreshold(threshold) {
  state.trial = threshold;
  drawTrial();
  draw();
}

function draw() {
  const { result, trial, note } = state;
  if (!result) return;
  const flags = flagsOf(result, trial);
  drawFindings(result, flags, $("weak").checked);
  drawOver();
  drawFacts(result);
  drawCorrections(result);
  drawTrial(flags);
  $("save").hidden = trial !== null || Boolean(result.rule.none); // a picture with a trial's boxes would pass for the service's
  const own = result.overridden && !result.rule.none ? `decided by the caller's threshold ${result.rule.threshold}` : "";
  setCaption([result.name, `${decisionOf(result)}, ${defectsOf(result)}`, own, when(result.time), note].filter(Boolean).join(" · "));
}

const flagsOf = (result, trial) => result.detections
  .map((each) => (trial === null ? each.defect : wouldCount(each, result.rule, trial)));

// The boxes alone, whose lines and names keep their size whatever that of the picture is.
function drawOver() {
  const { result, trial } = state;
  if (!result) return;
  drawZones(result);
  drawBoxes(result, flagsOf(result, trial), $("weak").checked);
  drawDrawn();
  lightSelected();
}

function drawTrial(flags = []) {
  const { trial, result } = state;
  $("trial").hidden = trial === null;
  $("stage").classList.toggle("trying", trial !== null);
  if (trial === null) return;
  const bad = flags.filter(Boolean).length;
  const told = result ? `${bad ? count(bad, "finding") : "nothing"} would count` : "no picture";
  $("trial-text").textContent = `At ${trial.toFixed(2)}: ${told}. This is no verdict, and it is not recorded.`;
}

function saveOriginal(result) {
  download(result.original.slice(1)).catch((error) => say(error.message));
}

function drawFacts(result) {
  const facts = [
    ["Picture", `${result.size[0]} × ${result.size[1]}`],
    ["Took", `${(result.milliseconds.total ?? 0).toFixed(0)} ms`],
    result.station && ["Station", result.station],
    result.order && ["Order", result.order],
    ["Model", `${result.model.name} · ${result.model.version}`],
    result.original && ["Original", make("button", { class: "small", type: "button", onclick: () => saveOriginal(result) }, "Save")],
    result.not_kept && ["Original", make("span", { class: "warn" }, `not kept: ${result.not_kept}`)],
    ["Address", make("a", { href: `#${result.id}` }, "of this inspection")],
  ].filter(Boolean);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  if (result.recorded === false) {
    $("facts").append(make("dt", {}, "Record"), make("dd", { class: "warn" }, "not yet written: the database is away"));
  }
}

zoom.setUp(drawOver);
new ResizeObserver(zoom.lay).observe($("drop"));
$("weak").addEventListener("change", draw);
$("save").addEventListener("click", async () => {
  const { result } = state;
  await $("picture").decode();
  markedPicture($("picture"), result)
    .toBlob((blob) => saveBlob(blob, `${(result.name || result.id).replace(/\.[^.]*$/, "")}-marked.png`), "image/png");
});
