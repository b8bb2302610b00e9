// Saves what was changed: one request at a time, always the newest, again and again until it is there.

import { call } from "./calls.js";

const AGAIN = 2000; // milliseconds until the next attempt, while the server cannot be reached
const state = { waiting: null, sending: null, failed: false, refused: false, tell: () => {} };

// `tell(word, detail)`: "saving", "saved" with the answer and what was sent, "offline", "conflict" and "refused" with the
// error; "refused" with the `version` at which the next attempt begins as well.
export function setUp(tell) {
  state.tell = tell;
}

// Whether there is something that the server does not have yet.
export const isPending = () => state.waiting !== null || state.sending !== null || state.refused;

// Whether the last change was refused: the server does not have it until another attempt succeeds, or it is dropped.
export const isRefused = () => state.refused;

// `change`: {id, version, known, marks, state, keys}; `known` are the server's marks of that version, `keys` names the
// marks, in their order, for the answer.
export function save(change) {
  Object.assign(state, { waiting: change, refused: false });
  state.tell("saving");
  if (!state.sending) send();
}

export function forget() {
  Object.assign(state, { waiting: null, refused: false });
}

// Tries at once what waits for the next attempt.
export function hurry() {
  if (!state.waiting || state.sending) return;
  state.failed = false;
  send();
}

// Resolves when all is saved, or it is clear that it cannot be.
export async function settled() {
  while (state.sending || (state.waiting && !state.failed)) await (state.sending ?? new Promise((go) => setTimeout(go, 20)));
}

// The window is about to go: what waits is sent, and the answer is not waited for.
export function flush() {
  const change = state.waiting;
  if (change && !state.sending) call("PUT", `pictures/${change.id}`, body(change), { keepalive: true }).catch(() => {});
}

const body = ({ version, marks, state: what }) => ({ version, marks, state: what });

function send() {
  const change = state.waiting;
  if (!change) return;
  state.waiting = null;
  state.sending = call("PUT", `pictures/${change.id}`, body(change)).then(
    (answer) => { state.failed = false; done(change, answer); },
    (error) => fail(change, error),
  ).finally(() => {
    state.sending = null;
    if (state.waiting && !state.failed) send();
    else if (state.failed) setTimeout(() => { state.failed = false; if (!state.sending) send(); }, AGAIN);
  });
}

function done(change, answer) {
  if (state.waiting?.id === change.id) { // the newest change builds on what was just saved
    Object.assign(state.waiting, { version: answer.version, known: answer.marks });
    const places = new Map(change.keys.map((key, index) => [key, index]));
    state.waiting.marks.forEach((mark, index) => { mark.origin = places.get(state.waiting.keys[index]) ?? null; });
  }
  state.tell("saved", { answer, change });
}

async function fail(change, error) {
  if (error.code === "unreachable" || error.status >= 500) {
    state.waiting ??= change;
    state.failed = true;
    state.tell("offline", error);
    return;
  }
  if (error.status === 409) {
    const newest = state.waiting ?? change;
    state.waiting = null;
    state.tell("conflict", { error, change: newest });
    return;
  }
  // What could not be written is a step of the server's history all the same; the next attempt begins after it.
  const told = await call("GET", `pictures/${change.id}`).catch(() => null);
  const version = told && alike(told.marks, change.known) ? told.version : change.version;
  if (state.waiting) state.waiting.version = version; // it replaces what was refused
  else {
    state.refused = true;
    state.tell("refused", { error, version });
  }
}

// Whether marks have the same boxes and classes, in the same order.
export const alike = (some, others) => some.length === others.length && some.every(({ name, box }, index) => name === others[index].name
  && box.every((value, i) => Math.abs(value - others[index].box[i]) < 1e-4));
