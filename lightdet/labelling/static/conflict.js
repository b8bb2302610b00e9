// A picture that was changed in another window, or by another program, as well: which change is kept.

import { $ } from "./dom.js";
import { call } from "./calls.js";
import { alike } from "./saving.js";

// Asks, and returns whether the change of this page is kept, and the server's word on the picture.
export async function ask(change) {
  const dialog = $("conflict");
  dialog.showModal();
  $("theirs").focus();
  const mine = await new Promise((go) => {
    $("mine").onclick = () => go(true);
    $("theirs").onclick = () => go(false);
    dialog.oncancel = (event) => { event.preventDefault(); go(false); };
  });
  try { return { mine, told: await call("GET", `pictures/${change.id}`) }; } finally { dialog.close(); }
}

// A change as one of the labels that the server has now. Each box is found again there, as it was before the change or as it
// is in it, so that all else that the file says of it stays.
export function onto(change, told) {
  const free = new Set(told.marks.keys());
  const found = (mark) => {
    const place = mark && [...free].find((index) => alike([mark], [told.marks[index]]));
    if (place !== undefined) free.delete(place);
    return place;
  };
  const first = change.marks.map((mark) => found(change.known[mark.origin]));
  const marks = change.marks.map((mark, index) => ({ ...mark, origin: first[index] ?? found(mark) ?? null }));
  return { ...change, version: told.version, known: told.marks, marks };
}
