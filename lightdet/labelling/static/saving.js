// Saves what was changed: one request at a time, always the newest, again and again until it is there.

import { call } from "./calls.js";

const AGAIN = 2000; // milliseconds until the next attempt, while the server cannot be reached
const state = { waiting: null, sending: null, failed: false, tell: () => {} };

// `tell(word, detail)`: "saving", "saved" with the answer and what was sent, "offline", "conflict" and "refused" with the error.
export function setUp(tell) {
  state.tell = tell;
}

// Whether there is something that the server does not have yet.
export const isPending = () => state.waiting !== null || state.sending !== null;

// `change`: {id, version, marks, state, keys}; `keys` names the marks, in their order, for the answer.
export function save(change) {
  state.waiting = change;
  state.tell("saving");
  if (!state.sending) send();
}

export function forget() {
  state.waiting = null;
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
    state.waiting.version = answer.version;
    const places = new Map(change.keys.map((key, index) => [key, index]));
    state.waiting.marks.forEach((mark, index) => { mark.origin = places.get(state.waiting.keys[index]) ?? null; });
  }
  state.tell("saved", { answer, change });
}

function fail(change, error) {
  if (error.code === "unreachable" || error.status >= 500) {
    state.waiting ??= change;
    state.failed = true;
    state.tell("offline", error);
    return;
  }
  const newest = state.waiting?.id === change.id ? state.waiting : change;
  state.waiting = null;
  state.tell(error.status === 409 ? "conflict" : "refused", { error, change: newest });
}
