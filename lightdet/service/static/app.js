// Puts the page together: what is dropped, chosen or seen by the camera is inspected, one after the other.

import { getJson, inspect } from "./api.js";
import * as batch from "./batch.js";
import * as camera from "./camera.js";
import * as contact from "./contact.js";
import { $ } from "./dom.js";
import * as draw from "./draw.js";
import { offerClasses } from "./filters.js";
import * as history from "./history.js";
import * as live from "./live.js";
import * as models from "./models.js";
import { tellPromise } from "./promise.js";
import * as statistics from "./statistics.js";
import { zone } from "./times.js";
import { busy, clear, say, show, shown, tryThreshold } from "./viewer.js";
import * as zones from "./zones.js";
import * as zoom from "./zoom.js";

const VIEWABLE = /^image\/(jpeg|png|bmp)$/;
const LOOK_EVERY = 10_000;
const state = { model: null, waiting: [], working: null };

// --- pictures ---------------------------------------------------------------------------------------------

function add(files) {
  if (!files.length) {
    say("There is no file in what was dropped.");
    return;
  }
  take([...files].map((blob) => ({ blob, name: blob.name })));
}

// Inspects one after the other; what comes meanwhile joins in. Returns a promise of the end.
function take(pictures) {
  say(null);
  state.waiting.push(...pictures);
  state.working ??= work().finally(() => { state.working = null; });
  return state.working;
}

async function work() {
  const refused = [];
  live.pause();
  history.makeWay();
  resetTrial();
  batch.begin((entry) => history.lookAt(entry.result));
  for (let done = 1; state.waiting.length; done += 1) {
    const { blob, name } = state.waiting.shift();
    const total = done + state.waiting.length;
    busy(total > 1 ? `${name}: ${done} of ${total}` : `${name} …`);
    const slow = setTimeout(() => batch.tell(state.waiting.length + 1), 300); // the verdict before goes
    try {
      present(await look(blob, name));
    } catch (error) {
      refused.push(name ? `${name}: ${error.message}` : error.message);
      present([{ name, refusal: error.message }]);
      say(refused.slice(-5).join(" — "));
      if (error.code === "unreachable") contact.check();
    }
    clearTimeout(slow);
    busy(null);
  }
  if (shown() !== (batch.worst().result ?? null)) display(batch.worst()); // something else was opened meanwhile
}

// The worst so far is shown; what is better than that stands in the list alone.
function present(entries) {
  for (const entry of entries) {
    if (batch.add(entry) === entry) display(entry);
  }
  batch.tell(state.waiting.length);
  refresh();
}

function display(entry) {
  if (entry.result) show(entry.result, entry.url);
  else clear(entry.name);
}

// Returns one entry for each picture in the file.
async function look(blob, name) {
  const start = await blob.slice(0, 1).arrayBuffer().catch(() => { throw new Error("cannot be read; is it a folder?"); });
  if (!start.byteLength) throw new Error("the file is empty");
  const preview = !VIEWABLE.test(blob.type);
  const answer = await inspect(blob, { name, preview, path: models.judging("api/detect") });
  for (const result of answer.results) {
    if (!result.overridden && result.model.name === state.model.name) tellPromise(result.promise);
  }
  return answer.results.map((result) => {
    const url = result.picture ?? URL.createObjectURL(blob);
    delete result.picture;
    result.recorded = answer.recorded;
    history.keepOriginal(result.id, url);
    return { name: result.name, result, url };
  });
}

let refreshing = null;
let again = false;
function refresh() {
  // One at a time; what happens meanwhile is seen by one more.
  if (refreshing) { again = true; return; }
  refreshing = Promise.all([history.refresh(), statistics.refresh()])
    .catch((error) => { if (error.status !== 401 && error.code !== "unreachable") console.warn(error.message); })
    .finally(() => {
      refreshing = null;
      if (again) { again = false; refresh(); }
    });
}

// It may change with any part, also with those of others.
async function askPromise() {
  const { model } = state;
  model.promise = (await getJson(models.address("api/model"))).promise;
  if (model === state.model) tellPromise(model.promise); // another may have been chosen meanwhile
}

// --- looking at other thresholds --------------------------------------------------------------------------

function showTrial(threshold) {
  const { rule } = state.model;
  const own = Object.keys(rule.thresholds).length;
  const value = threshold ?? rule.threshold;
  $("threshold").value = value;
  $("threshold-value").textContent = value.toFixed(2);
  $("threshold-note").textContent = `The service decides at ${rule.threshold}${own ? `; ${own} ${own === 1 ? "class has its" : "classes have their"} own` : ""}.`;
  $("promise").textContent = `Promise: ${state.model.promise.text}.`;
  $("threshold-reset").hidden = threshold === null;
  tryThreshold(threshold);
}

function resetTrial() {
  if (state.model) showTrial(null);
}

// --- wiring -----------------------------------------------------------------------------------------------

$("choose").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => { add($("files").files); $("files").value = ""; });
$("threshold").addEventListener("input", () => { if (state.model) showTrial(Number($("threshold").value)); });
for (const id of ["threshold-reset", "trial-end"]) $(id).addEventListener("click", resetTrial);
history.setUp(() => { resetTrial(); live.pause(); });
live.setUp(() => { if (!document.hidden) refresh(); });
camera.setUp((blob) => take([{ blob, name: "" }]));

// The whole page takes what is dropped: a file that misses the stage would else replace the page.
let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; $("dropping").hidden = false; } });
addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) $("dropping").hidden = true; });
addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  depth = 0;
  $("dropping").hidden = true;
  if (!hasFiles(event)) return;
  event.preventDefault();
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => { if (event.clipboardData?.files.length) add(event.clipboardData.files); });

const KEYS = {
  o: () => $("files").click(),
  c: () => camera.toggle(),
  l: () => live.toggle(),
  t: () => $("threshold").focus(),
  " ": () => camera.capture(),
  ArrowLeft: () => history.step(-1),
  ArrowRight: () => history.step(1),
  "+": () => zoom.zoomBy(1.5),
  "-": () => zoom.zoomBy(1 / 1.5),
  0: zoom.whole,
};
const FAR = 80; // pixels of the screen
const MOVES = { ArrowLeft: [FAR, 0], ArrowRight: [-FAR, 0], ArrowUp: [0, FAR], ArrowDown: [0, -FAR] };
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("key-dialog").open) return;
  // The slider keeps the arrows; letters are ours there, too.
  const sliding = event.target.matches?.("input[type=range]") && !event.key.startsWith("Arrow");
  const typing = !sliding && event.target.matches?.("input, select, textarea");
  const pressing = event.target.matches?.("button, summary, a") && event.key === " ";
  const move = event.shiftKey && zoom.isZoomed() ? MOVES[event.key] : undefined;
  const action = move ? () => zoom.moveBy(...move) : KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || typing || pressing || (event.key === " " && !camera.isOn())) return;
  event.preventDefault();
  action();
});

async function begin() {
  contact.watch();
  for (const place of document.querySelectorAll(".zone")) place.textContent = zone();
  await models.setUp(() => useModel().catch((error) => say(error.message)), true);
  await useModel();
  draw.setUp(models.classesOf, live.pause);
  statistics.setUp();
  history.openAddress();
  live.listen();
  setInterval(() => { if (!document.hidden) { refresh(); askPromise().catch(() => {}); } }, LOOK_EVERY);
}

async function useModel() {
  state.model = await getJson(models.address("api/model"));
  const { name, version, classes, lowest_score: lowest } = state.model;
  const about = `${name} · ${version} · ${classes.length} ${classes.length === 1 ? "class" : "classes"}`;
  $("model").textContent = models.isChosen() ? about : "Choose the model that judges here.";
  document.title = `${name} – lightdet`;
  offerClasses(classes);
  zones.setUp(state.model);
  $("threshold").min = Math.ceil(lowest * 100) / 100;
  tellPromise(state.model.promise);
  resetTrial();
  refresh();
}

begin().catch((error) => say(error.message));
