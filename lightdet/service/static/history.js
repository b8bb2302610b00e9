// Past inspections with their small pictures, the latest first.

import { call, getJson } from "./api.js";
import { $, make } from "./dom.js";
import { say, show, shown } from "./viewer.js";

const PAGE = 24;
const ORIGINALS = 60;
const state = { results: [], before: null, loading: null };
const originals = new Map(); // id → URL of the picture as sent from this tab
const thumbnails = new Map(); // id → promise of a URL

export function keepOriginal(id, url) {
  originals.set(id, url);
  if (originals.size > ORIGINALS) {
    const [oldest, old] = originals.entries().next().value;
    originals.delete(oldest);
    if (old !== $("picture").src) URL.revokeObjectURL(old);
  }
}

function query(before) {
  const wanted = new URLSearchParams({ limit: PAGE });
  if (before) wanted.set("before", before);
  if ($("filter").value) wanted.set("decision", $("filter").value);
  if ($("search").value.trim()) wanted.set("name", $("search").value.trim());
  return `api/inspections?${wanted}`;
}

export async function refresh() {
  const page = await getJson(query(null));
  const kept = new Set(page.results.map((each) => each.id));
  const last = page.results.at(-1)?.id ?? "";
  const older = page.before ? state.results.filter((each) => each.id < last && !kept.has(each.id)) : [];
  state.results = [...page.results, ...older];
  state.before = older.length ? state.before : page.before;
  draw();
}

async function more() {
  const page = await getJson(query(state.before));
  state.results.push(...page.results);
  state.before = page.before;
  draw();
}

function restart() {
  state.results = [];
  state.before = null;
  refresh().catch((error) => say(error.message));
}

function draw() {
  const focused = document.activeElement?.dataset?.id;
  const there = new Map([...$("past").children].map((item) => [item.dataset.id, item]));
  $("past").replaceChildren(...state.results.map((result) => there.get(result.id) ?? item(result)));
  $("past-empty").hidden = state.results.length > 0;
  $("more").hidden = !state.before;
  mark();
  if (focused) $("past").querySelector(`button[data-id="${focused}"]`)?.focus({ preventScroll: true });
  const wanted = new Set(state.results.map((each) => each.id));
  for (const [id, url] of thumbnails) {
    if (!wanted.has(id)) {
      thumbnails.delete(id);
      url.then((value) => value && URL.revokeObjectURL(value));
    }
  }
}

function item(result) {
  const time = new Date(result.time);
  const today = time.toDateString() === new Date().toDateString();
  const picture = make("img", { class: "thumb", alt: "", loading: "lazy" });
  thumbnail(result.id).then((url) => { if (url) picture.src = url; });
  const kind = result.decision.toLowerCase();
  const label = result.name || (result.defects ? [...new Set(result.detections.filter((d) => d.defect).map((d) => d.name))].join(", ") : "no name");
  return make("li", { "data-id": result.id },
    make("button", { type: "button", "data-id": result.id, onclick: () => open(result), title: `${result.name} ${time.toLocaleString()}`.trim() },
      make("span", { class: `tag ${kind}` }, `${result.decision === "OK" ? "✓" : "✕"} ${result.decision}`,
        make("time", { datetime: result.time }, today ? time.toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" }) : time.toLocaleDateString([], { month: "short", day: "numeric" }))),
      picture, make("span", { class: "label" }, label)));
}

function thumbnail(id) {
  if (!thumbnails.has(id)) {
    const loading = call(`api/inspections/${id}/thumbnail`).then((response) => response.blob())
      .then((blob) => URL.createObjectURL(blob)).catch(() => null);
    thumbnails.set(id, loading);
  }
  return thumbnails.get(id);
}

async function open(result) {
  say(null);
  const original = originals.get(result.id);
  const url = original ?? await thumbnail(result.id);
  if (!url) {
    say("No picture of this inspection is kept.");
    return;
  }
  show(result, url, original ? "" : "only a small copy is kept");
  mark();
  $("verdict").scrollIntoView({ block: "nearest" });
}

export function mark() {
  const current = shown()?.id;
  for (const button of $("past").querySelectorAll("button")) {
    button.setAttribute("aria-current", button.dataset.id === current);
  }
}

// One newer (-1) or one older (+1) than what is shown.
export function step(direction) {
  const index = state.results.findIndex((each) => each.id === shown()?.id);
  const next = state.results[index < 0 ? 0 : index + direction];
  if (next) open(next);
}

$("more").addEventListener("click", () => more().catch((error) => say(error.message)));
$("filter").addEventListener("change", restart);
let typing;
$("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(restart, 300); });
