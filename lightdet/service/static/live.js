// What other programs send, as it happens: server-sent events, read with the key that EventSource could not send.

import { call } from "./api.js";
import { $, count } from "./dom.js";
import { isOwn, showLive } from "./history.js";
import { ring } from "./alarm.js";

const HOLD = 3000; // a bad part stays in sight so long, whatever comes after it
const PATIENCE = [1000, 2000, 5000, 10_000, 30_000];
const state = { on: false, results: [], timer: null, badUntil: 0, line: null, refresh: () => {} };

// `refresh()` reads history and statistics again.
export function setUp(refresh) {
  state.refresh = refresh;
  $("live").addEventListener("click", () => turn(!state.on));
}

export const toggle = () => turn(!state.on);

// Someone looks at something else now.
export function pause() {
  if (state.on) turn(false);
}

function turn(on) {
  state.on = on;
  state.results = [];
  state.badUntil = 0;
  clearTimeout(state.timer);
  $("live").setAttribute("aria-pressed", on);
  $("live-note").hidden = !on;
  $("live-note").textContent = "Live: waiting for the next part";
}

// Listens without end; what comes is shown while it is turned on.
export async function listen() {
  for (let failures = 0; ; failures += 1) {
    await needed();
    state.line = new AbortController();
    try {
      const response = await call("api/live", { signal: state.line.signal });
      failures = 0;
      for await (const events of chunks(response.body)) take(events);
    } catch (error) {
      if (error.status === 401) return;
      if (error.name === "AbortError") continue;
      if (state.on) $("live-note").textContent = `Live: not connected (${error.message})`;
    }
    await new Promise((resolve) => setTimeout(resolve, PATIENCE[Math.min(failures, PATIENCE.length - 1)]));
  }
}

// A browser has few connections to one address for all its tabs: one that nobody sees or hears leaves them to others.
const isIdle = () => document.hidden && !state.on && !$("sound").checked;

async function needed() {
  while (isIdle()) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

document.addEventListener("visibilitychange", () => { if (isIdle()) state.line?.abort(); });

// Yields the events of each piece that comes: [[kind, value], …]
async function* chunks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    const events = parts.map(parse).filter(Boolean);
    if (events.length) yield events;
  }
}

function parse(text) {
  const fields = new Map(text.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter(Boolean).map((found) => [found[1], found[2]]));
  return fields.has("data") ? [fields.get("event"), JSON.parse(fields.get("data"))] : null;
}

function take(events) {
  for (const [kind, value] of events) if (kind === "alarm") ring(value);
  const results = events.filter(([kind]) => kind === "inspection").map(([, value]) => value);
  if (results.length) state.refresh();
  if (!state.on) return;
  state.results.push(...results.filter((result) => !isOwn(result.id)));
  present();
}

// Of those that came together the worst is shown; what comes while a bad one is held waits, and is counted.
function present() {
  clearTimeout(state.timer);
  if (!state.results.length) return;
  const none = state.results.findLast((result) => result.rule.none);
  const bad = state.results.findLast((result) => result.decision === "NG" && !result.rule.none);
  const left = state.badUntil - Date.now();
  if (!bad && left > 0) {
    $("live-note").textContent = `Live: held for a moment, ${count(state.results.length, "newer part")}${none ? "" : " OK"}`;
    state.timer = setTimeout(present, left);
    return;
  }
  const number = state.results.length;
  const result = bad ?? none ?? state.results.at(-1);
  state.results = [];
  state.badUntil = bad || none ? Date.now() + HOLD : 0;
  $("live-note").textContent = number > 1 ? `Live: the ${bad || none ? "worst" : "last"} of ${number} parts that came together` : "Live";
  showLive(result);
}
