// The picture with its boxes, the findings beside it, and the trial view at another threshold.

import { saveBlob } from "./api.js";
import { drawBoxes, markedPicture } from "./boxes.js";
import { $, count, make } from "./dom.js";
import { color, wouldCount } from "./rule.js";
import { when } from "./times.js";

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

// "2 defects: red, green", by the service's rule
export function defectsOf(result) {
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
  $("findings").replaceChildren();
  $("findings-title").textContent = "Findings";
  $("facts").replaceChildren();
  $("save").hidden = true;
  drawTrial();
}

// Shows a result on the picture at `url` (null: none is kept); `note` says what kind of picture that is.
export function show(result, url, note = "") {
  Object.assign(state, { result, note });
  const [width, height] = result.size;
  const frame = $("frame");
  frame.hidden = false;
  $("empty").hidden = true;
  $("drop").classList.add("filled");
  frame.style.aspectRatio = `${width} / ${height}`;
  fit();
  if (url) $("picture").src = url;
  else $("picture").removeAttribute("src");
  $("picture").alt = `Inspected picture ${result.name}`.trim();
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
  const flags = result.detections.map((each) => (trial === null ? each.defect : wouldCount(each, result.rule, trial)));
  const weak = $("weak").checked;
  drawBoxes(result, flags, weak);
  drawFindings(result, flags, weak);
  drawFacts(result);
  drawTrial(flags);
  $("save").hidden = trial !== null; // a picture with a trial's boxes would pass for the service's
  const own = result.overridden ? `decided by the caller's threshold ${result.rule.threshold}` : "";
  setCaption([result.name, `${result.decision}, ${defectsOf(result)}`, own, when(result.time), note].filter(Boolean).join(" · "));
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

function drawFindings(result, flags, weak) {
  const items = result.detections.map((each, index) => ({ each, index, counted: flags[index] }))
    .filter(({ counted }) => counted || weak)
    .map(({ each, index, counted }) => finding(each, index, counted));
  $("findings-title").textContent = `Findings${items.length ? ` (${items.length})` : ""}`;
  if (!items.length) items.push(make("li", { class: "none" }, "nothing that counts"));
  $("findings").replaceChildren(...items);
  tellMore();
}

// A list that is cut off says how much lies below.
function tellMore() {
  const list = $("findings");
  const end = list.scrollTop + list.clientHeight + 4;
  const below = [...list.children].filter((item) => item.offsetTop + item.offsetHeight > end).length;
  $("findings-more").hidden = !below;
  $("findings-more").textContent = `↓ ${below} more below`;
}

function finding(each, index, counted) {
  const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = color(each.label);
  const light = (on) => () => {
    $("boxes").querySelector(`g[data-index="${index}"]`)?.classList.toggle("lit", on);
  };
  const [x1, y1, x2, y2] = each.box;
  return make("li", { class: counted ? "" : "off", onmouseenter: light(true), onmouseleave: light(false), title: `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)} pixels` },
    swatch, make("span", { class: "name" }, each.name), make("span", { class: "score" }, each.score.toFixed(2)));
}

function drawFacts(result) {
  const facts = [
    ["Picture", `${result.size[0]} × ${result.size[1]}`],
    ["Took", `${(result.milliseconds.total ?? 0).toFixed(0)} ms`],
    ["Model", `${result.model.name} · ${result.model.version}`],
    ["Address", make("a", { href: `#${result.id}` }, "of this inspection")],
  ];
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  if (result.recorded === false) {
    $("facts").append(make("dt", {}, "Record"), make("dd", { class: "warn" }, "not yet written: the database is away"));
  }
}

// As large as the stage allows, in the picture's own proportions.
function fit() {
  if (!state.result) return;
  const [width, height] = state.result.size;
  const room = $("drop").getBoundingClientRect();
  const scale = Math.min((room.width - 4) / width, (room.height - 4) / height);
  $("frame").style.width = `${Math.max(1, width * scale)}px`;
}

new ResizeObserver(() => { fit(); draw(); }).observe($("drop"));
$("weak").addEventListener("change", draw);
$("findings").addEventListener("scroll", tellMore);
$("save").addEventListener("click", async () => {
  const { result } = state;
  await $("picture").decode();
  markedPicture($("picture"), result)
    .toBlob((blob) => saveBlob(blob, `${(result.name || result.id).replace(/\.[^.]*$/, "")}-marked.png`), "image/png");
});
