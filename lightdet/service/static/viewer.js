// The picture with its boxes, the verdict in large, the findings beside it.

import { saveBlob } from "./api.js";
import { $, count, make, makeSvg } from "./dom.js";
import { color, counts } from "./rule.js";

const state = { result: null, rule: null, threshold: null, note: "" };

export function shown() {
  return state.result;
}

export function say(message) {
  $("alert").hidden = !message;
  $("alert").textContent = message ?? "";
}

export function busy(text) {
  $("verdict").classList.toggle("busy", Boolean(text));
  if (text) $("caption").textContent = text;
}

// What could not be inspected has no verdict: the one before must not stand over it.
export function fail(name) {
  state.result = null;
  $("frame").hidden = true;
  $("empty").hidden = false;
  $("drop").classList.remove("filled");
  $("verdict").className = "verdict none";
  $("verdict-icon").textContent = "";
  $("verdict-word").textContent = "Not inspected";
  $("verdict-why").textContent = "";
  $("caption").textContent = name;
  $("findings").replaceChildren();
  $("facts").replaceChildren();
  $("save").hidden = true;
}

// Shows a result on the picture at `url`; `note` says what kind of picture that is.
export function show(result, url, note = "") {
  Object.assign(state, { result, note });
  const [width, height] = result.size;
  const frame = $("frame");
  frame.hidden = false;
  $("empty").hidden = true;
  $("drop").classList.add("filled");
  frame.style.aspectRatio = `${width} / ${height}`;
  fit();
  $("picture").src = url;
  $("picture").alt = `Inspected picture ${result.name}`.trim();
  draw();
}

// `rule` is the service's own; `threshold` the slider's, null where it was not moved.
export function setRule(rule, threshold) {
  Object.assign(state, { rule, threshold });
  if (state.result) draw();
}

export function draw() {
  const { result } = state;
  if (!result) return;
  const flags = result.detections.map((each) => counts(each, result.rule, state.threshold));
  const weak = $("weak").checked;
  drawVerdict(result, flags);
  drawBoxes(result, flags, weak);
  drawFindings(result, flags, weak);
  drawFacts(result);
  $("save").hidden = false;
}

function drawVerdict(result, flags) {
  const bad = flags.filter(Boolean).length;
  const word = bad ? "NG" : "OK";
  $("verdict").className = `verdict ${word.toLowerCase()}`;
  $("verdict-icon").textContent = bad ? "✕" : "✓";
  $("verdict-word").textContent = word;
  const names = [...new Set(result.detections.filter((_, i) => flags[i]).map((each) => each.name))];
  const why = bad ? `${count(bad, "defect")}: ${names.join(", ")}` : "no defects";
  const old = state.threshold === null && state.rule && result.rule.threshold !== state.rule.threshold;
  const told = word !== result.decision ? `${why} at this threshold; recorded as ${result.decision}`
    : old ? `${why}; decided at threshold ${result.rule.threshold}` : why;
  $("verdict-why").textContent = [told, result.file].filter(Boolean).join(" · ");
  const caption = [result.name, new Date(result.time).toLocaleString(), state.note].filter(Boolean).join(" · ");
  $("caption").textContent = caption;
}

function drawBoxes(result, flags, weak) {
  const svg = $("boxes");
  const [width, height] = result.size;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const unit = width / Math.max(1, $("frame").clientWidth); // picture pixels in one of the screen
  const order = result.detections.map((_, index) => index).reverse(); // the best on top
  svg.replaceChildren(...order.filter((i) => flags[i] || weak).map((i) => boxOf(result.detections[i], i, flags[i], unit, [width, height])));
}

function boxOf(detection, index, counted, unit, [width, height]) {
  const [x1, y1, x2, y2] = detection.box;
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  const size = 15 * unit;
  const above = y1 > size * 1.5;
  const y = above ? y1 - size * 0.45 : Math.min(y1 + size * 1.15, height - size * 0.3);
  const text = `${detection.name} ${detection.score.toFixed(2)}`;
  const x = Math.max(2 * unit, Math.min(x1 + (above ? 0 : 5 * unit), width - text.length * size * 0.62));
  return makeSvg("g", { class: counted ? "counted" : "weak", "data-index": index },
    makeSvg("rect", { ...place, class: "box-halo" }),
    makeSvg("rect", { ...place, class: "box-line", stroke: color(detection.label) }),
    counted ? makeSvg("text", {
      x, y, class: "box-text", fill: color(detection.label),
      "font-size": size, "stroke-width": size * 0.28,
    }, text) : null);
}

function drawFindings(result, flags, weak) {
  const items = result.detections.map((each, index) => ({ each, index, counted: flags[index] }))
    .filter(({ counted }) => counted || weak)
    .map(({ each, index, counted }) => finding(each, index, counted));
  if (!items.length) items.push(make("li", { class: "none" }, "nothing that counts"));
  $("findings").replaceChildren(...items);
}

function finding(each, index, counted) {
  const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = color(each.label);
  const light = (on) => () => {
    $("boxes").querySelector(`[data-index="${index}"]`)?.classList.toggle("lit", on);
  };
  const [x1, y1, x2, y2] = each.box;
  return make("li", { class: counted ? "" : "off", onmouseenter: light(true), onmouseleave: light(false), title: `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)} pixels` },
    swatch, make("span", { class: "name" }, each.name), make("span", { class: "score" }, each.score.toFixed(2)));
}

function drawFacts(result) {
  const facts = [
    ["Picture", `${result.size[0]} × ${result.size[1]}`],
    ["Time", `${(result.milliseconds.total ?? 0).toFixed(0)} ms`],
    ["Model", `${result.model.name} · ${result.model.version}`],
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

$("save").addEventListener("click", async () => {
  const { result } = state;
  const picture = $("picture");
  await picture.decode();
  const canvas = make("canvas", { width: result.size[0], height: result.size[1] });
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const line = Math.max(2, Math.round((canvas.width + canvas.height) / 400));
  const letters = Math.max(11, Math.round((canvas.width + canvas.height) / 80));
  pen.font = `bold ${letters}px sans-serif`;
  pen.lineJoin = "round";
  result.detections.forEach((each) => {
    if (!counts(each, result.rule, state.threshold)) return;
    const [x1, y1, x2, y2] = each.box;
    for (const [width, tone] of [[line * 2, "#000"], [line, color(each.label)]]) {
      pen.lineWidth = width;
      pen.strokeStyle = tone;
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
    const text = `${each.name} ${each.score.toFixed(2)}`;
    const y = y1 > letters * 1.4 ? y1 - letters * 0.4 : y1 + letters * 1.2;
    pen.lineWidth = letters * 0.3;
    pen.strokeStyle = "#000";
    pen.strokeText(text, x1 + line, y);
    pen.fillStyle = color(each.label);
    pen.fillText(text, x1 + line, y);
  });
  canvas.toBlob((blob) => saveBlob(blob, `${(result.name || result.id).replace(/\.[^.]*$/, "")}-marked.png`), "image/png");
});
