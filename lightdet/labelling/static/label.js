// Labelling: the present picture, its boxes and what is done with them.

import { $ } from "./dom.js";
import { call } from "./calls.js";
import { color } from "./colors.js";
import * as canvas from "./canvas.js";
import * as conflict from "./conflict.js";
import { listenToKeys, isMoving, handIsDown } from "./keys.js";
import { showBoxes, showClasses, showPictures } from "./lists.js";
import { drawOver } from "./over.js";
import * as picture from "./picture.js";
import * as proposals from "./proposals.js";
import * as saving from "./saving.js";
import * as zoom from "./zoom.js";

const STILL = 250; // milliseconds after the last arrow key until a moved box is saved
const app = {
  folder: null, picture: null, unshown: "", known: [], marks: [], className: null, filter: "", number: 0, opening: 0, opened: 0, changes: 0, timer: 0,
};

const labelOf = (name) => app.folder.classes.findIndex((each) => each.name === name);
const named = () => app.marks.map((mark) => ({ ...mark, label: labelOf(mark.name) }));
const markOf = (key) => app.marks.find((mark) => mark.key === key);
const newKey = () => `box-${app.number += 1}`;
const faultOf = () => app.picture.fault || app.unshown; // why it cannot be labelled
// While the next picture is loaded, no change of the present one begins: what is not saved is always of the present one.
const canChange = () => Boolean(app.picture && !faultOf() && app.opening === app.opened);

// --- opening a picture --------------------------------------------------------------------------------------

async function open(id) {
  if (!await saved()) return;
  const turn = app.opening += 1;
  alarm("");
  let told;
  try { told = await call("GET", `pictures/${id}`); } catch (error) {
    if (turn !== app.opening) return;
    app.opened = turn;
    alarm(error.message);
    return;
  }
  const unshown = await picture.show(told, () => turn === app.opening);
  if (turn !== app.opening) return;
  history.replaceState(null, "", `#${encodeURIComponent(told.name)}`);
  const same = app.picture?.id === id;
  Object.assign(app, { picture: told, unshown, opened: turn });
  if (!same) zoom.begin(app.size());
  if (unshown) canvas.end();
  else canvas.begin(app.size());
  $("picture").alt = told.name;
  take(told);
  if (faultOf()) alarm(faultOf());
  proposals.open(told.id);
  const next = beside(1);
  if (next) picture.prefetch(next.id);
}

// Whether the server has all that was changed on the present picture, once it was tried again: only then it is left.
async function saved() {
  do {
    settleMoves();
    if (saving.isRefused()) changed(app.picture.state);
    else saving.hurry();
    await saving.settled();
  } while (app.timer);
  if (saving.isPending() && !saving.isRefused()) alarm("The last change is not saved yet; this picture stays until it is.");
  return !saving.isPending() && !$("conflict").open;
}

// The server's word on the present picture becomes what is shown.
function take(told) {
  Object.assign(app, { picture: told, known: told.marks });
  app.marks = told.marks.map((mark, index) => ({ ...mark, key: newKey(), origin: index }));
  canvas.show(app.marks);
  count(told);
  refresh();
}

function count(told) {
  Object.assign(app.folder, { states: told.states, classes: told.classes });
  const entry = app.folder.pictures.find(({ id }) => id === told.id);
  if (entry) Object.assign(entry, { state: told.state, boxes: told.marks.length });
}

// --- changing -----------------------------------------------------------------------------------------------

function changed(state = null) {
  clearTimeout(app.timer);
  app.timer = 0;
  if (!canChange()) return;
  // A box makes a picture labelled; without any left, the server knows what it counted as before.
  const usual = app.marks.length ? "labelled" : "unlabelled";
  const wanted = state ?? (app.picture.state === "doubtful" ? "doubtful" : usual);
  app.picture.state = wanted;
  saving.save({
    id: app.picture.id, number: app.changes += 1, version: app.picture.version, known: app.known, state: wanted,
    keys: app.marks.map(({ key }) => key),
    marks: app.marks.map(({ box, name, origin }) => ({ box, name, origin: origin ?? null })),
  });
  refresh();
}

function hearOfSaving(word, detail) {
  const texts = { saving: "Saving…", saved: "Saved", offline: "Not saved: the server does not answer", refused: "Not saved" };
  $("saved").textContent = texts[word] ?? "Not saved yet";
  $("saved").classList.toggle("bad", !["saving", "saved"].includes(word));
  if (word === "saved") afterSaving(detail);
  if (word === "refused") {
    app.picture.version = detail.version;
    alarm(`Not saved: ${detail.error.message}. To go on tries again; Undo drops the change.`);
    refresh();
  }
  if (word === "conflict") settle(detail.change);
}

function sayWhatIsThere(word) {
  $("saved").textContent = word;
  $("saved").classList.remove("bad");
}

function afterSaving({ answer, change }) {
  count(answer);
  alarm("");
  if (app.picture?.id !== answer.id) return refresh();
  app.known = answer.marks;
  Object.assign(app.picture, { version: answer.version, can_undo: answer.can_undo, can_redo: answer.can_redo });
  if (change.number === app.changes) app.picture.state = answer.state; // else a newer change is on its way
  change.keys.forEach((key, index) => {
    const mark = markOf(key), kept = answer.marks[index];
    if (!mark || !kept) return;
    Object.assign(mark, { origin: index, outline: kept.outline });
    const untouched = mark.box.every((value, i) => value === change.marks[index].box[i]);
    if (untouched && mark.box.some((value, i) => Math.abs(value - kept.box[i]) > 1e-6)) { // a format of whole pixels
      mark.box = kept.box;
      canvas.move(mark);
    }
  });
  return refresh();
}

async function settle(change) {
  let answer;
  try { answer = await conflict.ask(change); } catch { return saving.save(change); } // asked again once the server is back
  const { mine, told } = answer;
  if (!mine) {
    take(told);
    return sayWhatIsThere("");
  }
  const kept = conflict.onto(change, told);
  app.known = told.marks;
  app.picture.version = told.version;
  kept.keys.forEach((key, index) => Object.assign(markOf(key) ?? {}, { origin: kept.marks[index].origin }));
  return saving.save(kept);
}

function addMark(box, name = app.className) {
  if (!canChange()) return null;
  if (name === null) {
    alarm("Add a class first: write its name under “Class”.");
    $("class-name").focus();
    return null;
  }
  const mark = { key: newKey(), box, name, origin: null, outline: false };
  app.marks.push(mark);
  canvas.add(mark);
  return mark;
}

export const actions = {
  newBox() {
    const [x1, y1, x2, y2] = zoom.visible();
    const mark = addMark(canvas.within([0.375 * (x2 - x1) + x1, 0.375 * (y2 - y1) + y1, 0.625 * (x2 - x1) + x1, 0.625 * (y2 - y1) + y1]));
    if (!mark) return;
    canvas.select(mark.key);
    changed();
  },
  // Moves the selected box, or with `corner` its lower right corner, by pixels of the picture.
  nudge([right, down], corner) {
    const mark = markOf(canvas.selected());
    if (!mark || !canChange()) return false;
    const [x1, y1, x2, y2] = mark.box, [width, height] = [x2 - x1, y2 - y1], [across, high] = app.size();
    if (corner) mark.box = canvas.within([x1, y1, Math.max(x1 + 1, x2 + right), Math.max(y1 + 1, y2 + down)]);
    else {
      const left = Math.max(0, Math.min(across - width, x1 + right)), top = Math.max(0, Math.min(high - height, y1 + down));
      mark.box = [left, top, left + width, top + height];
    }
    canvas.move(mark);
    overlay();
    clearTimeout(app.timer);
    app.timer = setTimeout(changed, STILL);
    return true;
  },
  remove(key = canvas.selected()) {
    if (!markOf(key) || !canChange()) return;
    app.marks = app.marks.filter((mark) => mark.key !== key);
    canvas.remove(key);
    changed();
  },
  chooseClass(name) {
    app.className = name;
    const mark = markOf(canvas.selected());
    if (mark && mark.name !== name && canChange()) {
      mark.name = name;
      changed();
    } else refresh();
  },
  classNumber(number) {
    const each = app.folder.classes[number - 1];
    if (each) actions.chooseClass(each.name);
  },
  unselect: () => { canvas.select(null); refresh(); },
  async step(way) {
    settleMoves();
    await saving.settled();
    if (saving.isRefused() && way === "undo") return drop();
    if (saving.isPending() || !canChange()) return;
    try {
      const told = await call("POST", `pictures/${app.picture.id}/${way}`, { version: app.picture.version });
      if (told.id !== app.picture.id) return;
      take(told);
      $("saved").textContent = way === "undo" ? "Undone" : "Redone";
    } catch (error) {
      if (error.code === "nothing") return;
      alarm(error.message);
      if (error.status === 409) take(await call("GET", `pictures/${app.picture.id}`));
    }
  },
  doubtful: () => changed(app.picture.state !== "doubtful" ? "doubtful" : app.marks.length ? "labelled" : "unlabelled"),
  done() {
    if (canChange() && app.picture.state === "unlabelled") changed("labelled");
    actions.go(1);
  },
  async go(way) {
    const next = beside(way);
    if (next) open(next.id);
    else if (await saved()) alarm(way > 0 ? "This was the last picture of those shown." : "This was the first picture of those shown.");
  },
  hand: () => { $("hand").setAttribute("aria-pressed", String($("hand").getAttribute("aria-pressed") !== "true")); handIsDown(); },
  acceptAll: () => proposals.acceptAll(),
  select(key, byFocus = false) {
    if (key === canvas.selected()) return;
    canvas.select(key);
    if (!byFocus) refresh();
    else paintSelection();
  },
};

// Goes back to what the server has.
async function drop() {
  try {
    const told = await call("GET", `pictures/${app.picture.id}`);
    saving.forget();
    alarm("");
    take(told);
    sayWhatIsThere("Dropped");
  } catch (error) { alarm(error.message); }
}

app.size = () => [$("picture").naturalWidth || app.picture.size[0] || 1, $("picture").naturalHeight || app.picture.size[1] || 1];

function settleMoves() {
  if (app.timer) changed();
}

// --- showing ------------------------------------------------------------------------------------------------

const shownPictures = () => app.folder.pictures.filter(({ state, id }) => !app.filter || state === app.filter || id === app.picture?.id);

function beside(way) {
  const { pictures } = app.folder, now = pictures.findIndex(({ id }) => id === app.picture?.id);
  const fits = ({ state }, index) => (index - now) * way > 0 && (!app.filter || state === app.filter);
  return way > 0 ? pictures.find(fits) : pictures.findLast(fits);
}

function overlay() {
  if (app.picture) drawOver(named(), proposals.shown(), app.size(), zoom.scale());
}

function refresh() {
  const { states, pictures, classes } = app.folder;
  const finished = states.labelled + states.doubtful;
  $("progress").max = pictures.length;
  $("progress").value = finished;
  $("progress-text").textContent = `${finished.toLocaleString()} of ${pictures.length.toLocaleString()}${states.doubtful ? `, ${states.doubtful} doubtful` : ""}`;
  for (const option of $("filter").options) {
    const number = option.value ? states[option.value] : pictures.length;
    option.textContent = `${option.value || "all"} (${number.toLocaleString()})`;
  }
  const mark = markOf(canvas.selected());
  showClasses(classes, mark?.name ?? app.className, actions.chooseClass);
  showBoxes(named(), mark?.key ?? null, actions);
  showPictures(shownPictures(), app.picture?.id, open);
  if (!app.picture) return;
  $("name").textContent = app.picture.name;
  $("state").textContent = faultOf() ? "cannot be labelled" : app.picture.state;
  $("state").className = app.picture.state === "doubtful" ? "doubtful" : "soft";
  $("boxes-note").textContent = app.marks.length ? "" : app.picture.state === "labelled" ? "None: nothing to mark here." : "None yet.";
  $("done-text").textContent = app.picture.state === "unlabelled" && !app.marks.length ? "Nothing here, next" : "Done, next";
  $("undo").disabled = !app.picture.can_undo && !saving.isRefused();
  $("redo").disabled = !app.picture.can_redo;
  $("doubtful").setAttribute("aria-pressed", String(app.picture.state === "doubtful"));
  for (const id of ["new-box", "doubtful"]) $(id).disabled = !canChange();
  $("delete").disabled = !mark || !canChange();
  canvas.repaint();
  proposals.refresh();
  overlay();
}

function paintSelection() {
  const key = canvas.selected();
  for (const button of $("boxes").querySelectorAll("button[data-key]")) {
    if (button.hasAttribute("aria-current")) button.setAttribute("aria-current", String(button.dataset.key === key));
  }
  $("delete").disabled = !markOf(key) || !canChange();
  const name = markOf(key)?.name ?? app.className;
  for (const button of $("classes").children) button.setAttribute("aria-pressed", String(button.dataset.name === name));
}

function alarm(text) {
  $("alert").textContent = text;
  $("alert").hidden = !text;
}

// --- beginning ----------------------------------------------------------------------------------------------

canvas.setUp({
  drawn(box) {
    const mark = addMark(box);
    if (!mark) return;
    canvas.select(mark.key);
    changed();
  },
  changed(key, box) {
    const mark = markOf(key);
    if (!mark || mark.box.every((value, i) => value === box[i])) return;
    if (!canChange()) {
      canvas.move(mark); // back
      return;
    }
    mark.box = box;
    changed();
  },
  selected: paintSelection,
  moving: () => {
    const key = canvas.selected();
    const mark = markOf(key);
    if (mark) drawOver(named().map((each) => (each.key === key ? { ...each, box: canvas.boxOf(key) } : each)), proposals.shown(), app.size(), zoom.scale());
  },
  clicked: (point) => proposals.acceptAt(point),
  pinch: (event) => zoom.grab(event),
}, (key) => color(Math.max(0, labelOf(markOf(key)?.name ?? app.className))));

zoom.setUp(overlay, isMoving);
new ResizeObserver(zoom.lay).observe($("drop"));
saving.setUp(hearOfSaving);
proposals.setUp({
  marks: () => app.marks, labelOf, redraw: overlay,
  accept(found) {
    const last = found.map(({ box, name }) => addMark(canvas.within(box), name)).findLast(Boolean);
    if (last) changed();
  },
});
listenToKeys(actions, () => markOf(canvas.selected()) !== undefined);

for (const [id, work] of Object.entries({
  previous: () => actions.go(-1), next: () => actions.go(1), undo: () => actions.step("undo"), redo: () => actions.step("redo"),
  "new-box": actions.newBox, delete: () => actions.remove(), doubtful: actions.doubtful, done: actions.done, hand: actions.hand,
})) $(id).addEventListener("click", work);

$("filter").addEventListener("change", () => {
  app.filter = $("filter").value;
  const fits = !app.filter || app.picture?.state === app.filter;
  const first = app.folder.pictures.find(({ state }) => state === app.filter);
  if (!fits && first) open(first.id);
  else refresh();
});

$("add-class").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("class-name").value.trim();
  if (!name) return;
  try {
    const told = await call("POST", "classes", { name, folder: app.folder.id });
    Object.assign(app.folder, { classes: told.classes });
    $("class-name").value = "";
    $("class-name").blur();
    alarm("");
    actions.chooseClass(name);
  } catch (error) { alarm(error.message); }
});

// Another window may have changed the picture while this one was behind.
addEventListener("focus", async () => {
  if (!app.picture || saving.isPending() || app.timer || $("conflict").open) return;
  try {
    const told = await call("GET", `pictures/${app.picture.id}`);
    if (told.id === app.picture.id && told.version !== app.picture.version && !saving.isPending()) {
      take(told);
      $("saved").textContent = "Changed elsewhere: this is how it is now";
    }
  } catch { /* saving tells of a server that is gone */ }
});
addEventListener("beforeunload", (event) => { settleMoves(); if (saving.isPending()) event.preventDefault(); });
addEventListener("pagehide", () => { settleMoves(); saving.flush(); });

async function begin() {
  app.folder = await call("GET", "folder");
  const { folder, format, classes, pictures, can_add: canAdd, classes_in: listedIn, model } = app.folder;
  $("folder").textContent = `${folder} · ${format}`;
  document.title = `${folder} · Label · lightdet`;
  app.className = classes[0]?.name ?? null;
  $("add-class").hidden = !canAdd;
  $("classes-note").hidden = canAdd;
  if (!canAdd) $("classes-note").textContent = `The classes are listed in ${listedIn ?? "several files"}.`;
  proposals.begin(model);
  const wanted = decodeURIComponent(location.hash.slice(1));
  const first = pictures.find(({ name }) => name === wanted) ?? pictures.find(({ state, fault }) => state === "unlabelled" && !fault) ?? pictures[0];
  await open(first.id);
}

begin().catch((error) => alarm(error.message));
