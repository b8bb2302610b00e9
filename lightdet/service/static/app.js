// Puts the page together: what is dropped, chosen or seen by the camera is inspected, one after the other.

import { getJson, inspect } from "./api.js";
import * as camera from "./camera.js";
import { $ } from "./dom.js";
import * as history from "./history.js";
import * as statistics from "./statistics.js";
import { busy, fail, say, setRule, show } from "./viewer.js";

const VIEWABLE = /^image\/(jpeg|png|bmp)$/;
const LOOK_EVERY = 10_000;
const state = { model: null, override: null, waiting: [], done: 0, working: false };

// --- pictures ---------------------------------------------------------------------------------------------

function add(files) {
  const pictures = [...files].filter((file) => file.size > 0);
  if (!pictures.length) {
    say("There is no file in what was dropped.");
    return;
  }
  say(null);
  state.waiting.push(...pictures);
  if (!state.working) work();
}

async function work() {
  state.working = true;
  state.done = 0;
  const refused = [];
  while (state.waiting.length) {
    const file = state.waiting.shift();
    state.done += 1;
    const total = state.done + state.waiting.length;
    busy(total > 1 ? `${file.name}: ${state.done} of ${total}` : `${file.name} …`);
    try {
      await look(file, file.name);
    } catch (error) {
      refused.push(`${file.name}: ${error.message}`);
      fail(file.name);
      say(refused.slice(-5).join(" — "));
    }
    busy(null);
  }
  state.working = false;
}

async function look(blob, name = "") {
  const preview = !VIEWABLE.test(blob.type);
  const answer = await inspect(blob, { name, threshold: state.override, preview });
  const bad = answer.results.filter((each) => each.decision === "NG");
  const result = bad[0] ?? answer.results[0];
  const { length } = answer.results;
  if (length > 1) result.file = bad.length ? `${bad.length} of the ${length} pictures in this file NG` : `all ${length} pictures in this file OK`;
  const url = result.picture ?? URL.createObjectURL(blob);
  delete result.picture;
  result.recorded = answer.recorded;
  show(result, url);
  history.keepOriginal(result.id, url);
  refresh();
}

let refreshing = null;
let again = false;
function refresh() {
  // One at a time; what happens meanwhile is seen by one more.
  if (refreshing) { again = true; return; }
  refreshing = Promise.all([history.refresh(), statistics.refresh(), status()])
    .catch((error) => { if (error.status !== 401) console.warn(error.message); })
    .finally(() => {
      refreshing = null;
      if (again) { again = false; refresh(); }
    });
}

async function status() {
  let text = "ready", good = true;
  try {
    const ready = await (await fetch("ready")).json();
    if (!ready.ready) [text, good] = ["not ready", false];
    else if (ready.database !== "up") [text, good] = ["database away: records are kept for later", false];
  } catch {
    [text, good] = ["not reachable", false];
  }
  if ($("health").textContent !== text) $("health").textContent = text;
  $("health").className = `health ${good ? "good" : "bad"}`;
}

// --- the threshold ----------------------------------------------------------------------------------------

function showThreshold() {
  const { rule } = state.model;
  const own = Object.keys(rule.thresholds).length;
  const value = state.override ?? rule.threshold;
  $("threshold").value = value;
  $("threshold-value").textContent = value.toFixed(2);
  $("threshold-note").textContent = state.override !== null ? "for every class, from now on"
    : own ? `the service's; ${own} ${own === 1 ? "class has its" : "classes have their"} own` : "the service's own";
  $("threshold-reset").hidden = state.override === null;
  setRule(rule, state.override);
}

function reset() {
  state.override = null;
  showThreshold();
}

// --- wiring -----------------------------------------------------------------------------------------------

$("choose").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => { add($("files").files); $("files").value = ""; });
$("threshold").addEventListener("input", () => { state.override = Number($("threshold").value); showThreshold(); });
$("threshold-reset").addEventListener("click", reset);
camera.setUp(async (blob) => {
  try {
    say(null);
    await look(blob, "");
  } catch (error) {
    fail("");
    say(error.message);
  }
});

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
  t: () => $("threshold").focus(),
  r: reset,
  " ": () => camera.capture(),
  ArrowLeft: () => history.step(-1),
  ArrowRight: () => history.step(1),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("key-dialog").open) return;
  // The slider keeps the arrows; letters are ours there, too.
  const sliding = event.target.matches?.("input[type=range]") && !event.key.startsWith("Arrow");
  const typing = !sliding && event.target.matches?.("input, select, textarea");
  const pressing = event.target.matches?.("button, summary, a") && event.key === " ";
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || typing || pressing || (event.key === " " && !camera.isOn())) return;
  event.preventDefault();
  action();
});

async function begin() {
  status();
  state.model = await getJson("api/model");
  const { name, version, classes, lowest_score: lowest } = state.model;
  $("model").textContent = `${name} · ${version} · ${classes.length} ${classes.length === 1 ? "class" : "classes"}`;
  document.title = `${name} – lightdet`;
  $("threshold").min = Math.ceil(lowest * 100) / 100;
  showThreshold();
  refresh();
  setInterval(() => { if (!document.hidden) refresh(); }, LOOK_EVERY);
}

begin().catch((error) => say(error.message));
