// Past inspections with their small pictures, the latest first.

import { call, getJson } from "./api.js";
import * as batch from "./batch.js";
import { $, make } from "./dom.js";
import * as filters from "./filters.js";
import { clock, day, when } from "./times.js";
import { give } from "./verdict.js";
import { decisionOf, defectsOf, say, show, shown } from "./viewer.js";

const PAGE = 24;
const ORIGINALS = 60;
const state = { results: [], before: null, loading: null };
const SHOWN_HERE = /^image\/(jpeg|png|webp|bmp|gif|avif)$/;
const PAGE_OF_FILE = /#\d+$/; // a browser would show the first picture of such a file
const originals = new Map(); // id → URL of the picture as sent from this tab
const fetched = new Map(); // id → URL of the picture as the service kept it
const thumbnails = new Map(); // id → promise of a URL
let turn = 0; // counts what was asked to be shown
let leave = () => {};

// `before()` leaves the trial and the live view, before something older is opened.
export function setUp(before) {
  leave = before;
}

export const isOwn = (id) => originals.has(id);

export const keepOriginal = (id, url) => hold(originals, id, url);

function hold(urls, id, url) {
  urls.set(id, url);
  if (urls.size > ORIGINALS) {
    const [oldest, old] = urls.entries().next().value;
    urls.delete(oldest);
    if (old !== $("picture").src) URL.revokeObjectURL(old);
  }
}

function query(before) {
  const wanted = filters.wanted();
  wanted.set("limit", PAGE);
  if (before) wanted.set("before", before);
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
  $("past-empty").textContent = filters.wanted().size ? "No inspection matches this search." : "Nothing yet.";
  $("more").hidden = !state.before;
  mark();
  if (focused) buttonOf(focused)?.focus({ preventScroll: true });
  const wanted = new Set(state.results.map((each) => each.id));
  for (const [id, url] of thumbnails) {
    if (!wanted.has(id)) {
      thumbnails.delete(id);
      url.then((value) => value && URL.revokeObjectURL(value));
    }
  }
}

function item(result) {
  const today = new Date(result.time).toDateString() === new Date().toDateString();
  const picture = make("img", { class: "thumb", alt: "", loading: "lazy" });
  thumbnail(result.id).then((url) => { if (url) picture.src = url; });
  const kind = result.rule.none ? "none" : result.overridden ? "own" : result.decision.toLowerCase();
  const icon = { ok: "✓ ", ng: "✕ ", own: "", none: "" }[kind];
  const label = result.name || (result.defects ? [...new Set(result.detections.filter((d) => d.defect).map((d) => d.name))].join(", ") : "no name");
  return make("li", { "data-id": result.id },
    make("button", { type: "button", "data-id": result.id, onclick: () => open(result), title: `${result.name} ${when(result.time)}`.trim() },
      make("span", { class: `tag ${kind}` }, `${icon}${decisionOf(result)}`,
        make("time", { datetime: result.time }, today ? clock(result.time) : day(result.time))),
      picture, result.overridden ? make("span", { class: "by" }, result.rule.none ?? `threshold ${result.rule.threshold}`) : null,
      make("span", { class: "label" }, label)));
}

function thumbnail(id) {
  if (!thumbnails.has(id)) {
    const loading = call(`api/inspections/${id}/thumbnail`).then((response) => response.blob())
      .then((blob) => URL.createObjectURL(blob)).catch(() => null);
    thumbnails.set(id, loading);
  }
  return thumbnails.get(id);
}

// The picture that the service kept, if this browser can show it; null: it has none, or deleted it since.
async function kept(result) {
  if (!result.original || PAGE_OF_FILE.test(result.name)) return null;
  if (fetched.has(result.id)) return fetched.get(result.id);
  try {
    const blob = await (await call(result.original.slice(1))).blob();
    if (!SHOWN_HERE.test(blob.type)) return null;
    hold(fetched, result.id, URL.createObjectURL(blob));
    return fetched.get(result.id);
  } catch {
    return null;
  }
}

// Shows an inspection's picture, and leaves the verdict in large as it is. Returns false where something newer came.
export async function lookAt(result) {
  const mine = turn += 1;
  say(null);
  const original = originals.get(result.id) ?? await kept(result);
  const url = original ?? await thumbnail(result.id);
  if (mine !== turn) return false;
  const small = result.original ? "a small copy is shown" : "only a small copy is kept";
  show(result, url, original ? "" : url ? small : "no picture is kept");
  mark();
  return true;
}

// Shows an inspection as a whole: picture and verdict, under an address of its own.
async function open(result) {
  if (!await present(result)) return;
  leave();
  if (location.hash !== `#${result.id}`) window.history.pushState(null, "", `#${result.id}`);
}

async function present(result) {
  if (!await lookAt(result)) return false;
  batch.close();
  const { overridden, rule, time } = result;
  const own = overridden === true && !rule.none;
  const why = [defectsOf(result), own && "decided by the caller's own threshold", when(time)].filter(Boolean).join(" · ");
  give(decisionOf(result), why, Date.parse(time), own);
  $("verdict").scrollIntoView({ block: "nearest" });
  return true;
}

// Shows what another program has sent just now.
export async function showLive(result) {
  makeWay();
  await present(result);
}

// Opens the inspection that the page's address names, if it names one.
export async function openAddress() {
  const id = /^#([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (!id || shown()?.id === id) return;
  try {
    await open(await getJson(`api/inspections/${id}`));
  } catch (error) {
    say(error.message);
  }
}

// Makes way for what is inspected now: no older one comes over it any more, nor back with a reload.
export function makeWay() {
  turn += 1;
  if (/^#[0-9a-f]{32}$/.test(location.hash)) window.history.replaceState(null, "", location.pathname + location.search);
}

export function mark() {
  const current = shown()?.id;
  for (const button of $("past").querySelectorAll("button")) {
    button.setAttribute("aria-current", button.dataset.id === current);
  }
  // One stop for the keyboard: what is shown, else the latest; the arrows go on from there.
  const buttons = [...$("past").querySelectorAll("button")];
  const stop = buttons.find((button) => button.dataset.id === current) ?? buttons[0];
  for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
}

// One newer (-1) or one older (+1) than what is shown.
export function step(direction) {
  const index = state.results.findIndex((each) => each.id === shown()?.id);
  const next = state.results[index < 0 ? 0 : index + direction];
  if (!next) return;
  if ($("past").contains(document.activeElement)) buttonOf(next.id)?.focus();
  open(next);
}

const buttonOf = (id) => $("past").querySelector(`button[data-id="${id}"]`);

addEventListener("hashchange", openAddress);
addEventListener("popstate", openAddress);
$("more").addEventListener("click", () => more().catch((error) => say(error.message)));
filters.setUp(restart);
