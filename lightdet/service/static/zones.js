// Zones over the picture, and their editor. Points are shares of the picture's sides.

import { call, getJson, saveBlob } from "./api.js";
import { $, make, makeSvg } from "./dom.js";
import { address, judging } from "./models.js";
import { heldBy, moved } from "./zone_points.js";

const state = { model: null, zones: [], size: null, digest: null, editing: false, changed: false, chosen: 0 };
const polygonOf = (zone) => zone.look ?? zone.ignore;

// --- what the service looks at ------------------------------------------------------------------------------

// `model` is the answer of api/model.
export function setUp(model) {
  if (state.model && state.model.name !== model.name && state.editing) edit(false);
  state.model = model;
  if (!state.editing) restore();
  tellState();
}

function restore() {
  const given = state.model.zones;
  const [width, height] = given?.size ?? [1, 1];
  state.zones = (given?.zones ?? []).map((zone) => {
    const kind = zone.look ? "look" : "ignore";
    return { ...zone, [kind]: zone[kind].map(([x, y]) => [x / width, y / height]) };
  });
  state.changed = false;
}

// Draws the zones over a result of `size`; only those that it was decided with, or those that are being edited.
export function drawZones(result) {
  const first = !state.size;
  state.size = result.size;
  if (first && state.model) tellState();
  state.digest = result.zones;
  draw();
}

function draw() {
  const svg = $("zones");
  const known = state.editing || (state.digest && state.digest === state.model?.zones?.digest);
  svg.classList.toggle("editing", state.editing);
  if (!known || !state.size) return svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${state.size[0]} ${state.size[1]}`);
  const focused = document.activeElement?.dataset?.point;
  svg.replaceChildren(...state.zones.flatMap(outline), ...(state.editing ? state.zones.flatMap(handles) : []));
  if (focused) svg.querySelector(`[data-point="${focused}"]`)?.focus();
}

const inPicture = ([x, y]) => [x * state.size[0], y * state.size[1]];

function outline(zone) {
  const points = polygonOf(zone).map(inPicture).map((point) => point.join(",")).join(" ");
  return ["zone-halo", "zone-line"].map((kind) => makeSvg("polygon", { points, class: `${kind}${zone.ignore ? " ignored" : ""}` }));
}

// --- the editor ---------------------------------------------------------------------------------------------

// Every point can be dragged, or moved by the arrows; the small ones between them become points when they are touched.
function handles(zone, index) {
  const unit = state.size[0] / Math.max(1, $("frame").clientWidth); // a pixel of the screen, in the picture's
  const points = polygonOf(zone);
  const between = points.map((point, at) => {
    const next = points[(at + 1) % points.length];
    const [x, y] = inPicture([(point[0] + next[0]) / 2, (point[1] + next[1]) / 2]);
    return makeSvg("circle", { cx: x, cy: y, r: 6 * unit, class: "zone-between", "aria-hidden": "true",
      onpointerdown: (event) => { points.splice(at + 1, 0, [x / state.size[0], y / state.size[1]]); drag(event, index, at + 1); } });
  });
  const corners = points.map((point, at) => {
    // On the picture's border it is drawn a little further in, where it can be seen and reached.
    const [x, y] = inPicture(point).map((value, axis) => Math.min(Math.max(value, 9 * unit), state.size[axis] - 9 * unit));
    return makeSvg("circle", { cx: x, cy: y, r: 9 * unit, class: "zone-point", tabindex: 0, role: "button", "data-point": `${index}.${at}`,
      "aria-label": `${zone.name}, point ${at + 1} of ${points.length}: arrows move it, Delete removes it, Enter adds one after it`,
      onpointerdown: (event) => drag(event, index, at), onkeydown: (event) => press(event, index, at) });
  });
  return [...between, ...corners];
}

function drag(event, index, at) {
  if (event.button !== 0) return;
  event.preventDefault();
  event.stopPropagation(); // the picture stays where it is
  change();
  focusOn(index, at);
  const frame = $("frame").getBoundingClientRect();
  const near = [8 / frame.width, 8 / frame.height];
  const from = [...polygonOf(state.zones[index])[at]];
  const others = state.zones.flatMap((zone, other) => (other === index ? [] : polygonOf(zone)));
  const follow = (now) => {
    if (now.pointerId !== event.pointerId) return;
    const to = [from[0] + (now.clientX - event.clientX) / frame.width, from[1] + (now.clientY - event.clientY) / frame.height];
    polygonOf(state.zones[index])[at] = heldBy(to, others, near);
    draw();
  };
  const end = (now) => {
    if (now.pointerId !== event.pointerId) return;
    removeEventListener("pointermove", follow);
    for (const kind of ["pointerup", "pointercancel"]) removeEventListener(kind, end);
    focusOn(index, at);
    check();
  };
  addEventListener("pointermove", follow);
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, end);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function press(event, index, at) {
  const points = polygonOf(state.zones[index]);
  let next = at;
  if (ARROWS[event.key]) {
    points[at] = moved(points[at], ARROWS[event.key], event.shiftKey ? 0.001 : 0.01);
  } else if ((event.key === "Delete" || event.key === "Backspace") && points.length > 3) {
    points.splice(at, 1);
    next = Math.min(at, points.length - 1);
  } else if (event.key === "Enter") {
    const after = points[(at + 1) % points.length];
    points.splice(at + 1, 0, [(points[at][0] + after[0]) / 2, (points[at][1] + after[1]) / 2]);
    next = at + 1;
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  change();
  focusOn(index, next);
  check();
}

function focusOn(index, at) {
  draw();
  $("zones").querySelector(`[data-point="${index}.${at}"]`)?.focus({ preventScroll: true });
}

function change() {
  state.changed = true;
  draw();
  tellState();
}

function add(kind) {
  const names = state.zones.map((zone) => zone.name);
  let number = 1;
  while (names.includes(`zone ${number}`)) number += 1;
  const from = 0.2 + 0.05 * (state.zones.length % 6), to = from + 0.3;
  state.zones.push({ name: `zone ${number}`, [kind]: [[from, from], [to, from], [to, to], [from, to]] });
  change();
  list();
  check();
  focusOn(state.zones.length - 1, 0);
}

function list() {
  $("zones-list").replaceChildren(...state.zones.map((zone, index) => row(zone, index)));
}

function row(zone, index) {
  const says = make("span", { class: "told soft" }, told(zone));
  const own = () => { says.textContent = told(zone); change(); check(); };
  return make("li", {},
    make("input", { type: "text", value: zone.name, maxlength: 60, "aria-label": `Name of zone ${index + 1}`, autocomplete: "off", spellcheck: "false",
      onchange: (event) => { zone.name = event.target.value.trim(); change(); check(); } }),
    says,
    make("button", { class: "small", type: "button", "aria-label": `Remove ${zone.name}`,
      onclick: () => { state.zones.splice(index, 1); change(); list(); check(); $("zones-add").focus(); } }, "Remove"),
    zone.look ? classesAndThreshold(zone, own) : null);
}

// What counts in a zone to look at; thresholds by class are kept as the file has them.
function classesAndThreshold(zone, own) {
  const choose = (name) => (event) => {
    const chosen = new Set(zone.classes ?? []);
    if (event.target.checked) chosen.add(name); else chosen.delete(name);
    if (chosen.size) zone.classes = state.model.classes.filter((each) => chosen.has(each)); else delete zone.classes;
    own();
  };
  const lowest = (event) => {
    if (event.target.value === "") delete zone.threshold; else zone.threshold = Number(event.target.value);
    own();
  };
  return make("details", {}, make("summary", {}, "Classes and threshold"),
    make("fieldset", {}, make("legend", {}, "Only these count (none chosen: all)"),
      ...state.model.classes.map((name) => make("label", {},
        make("input", { type: "checkbox", checked: zone.classes?.includes(name), onchange: choose(name) }), name))),
    make("label", {}, "Lowest score that counts", make("input", { type: "number", min: 0, max: 1, step: "any",
      value: zone.threshold, placeholder: "as usual", onchange: lowest })));
}

function told(zone) {
  const own = [zone.threshold !== undefined && `from ${zone.threshold}`, ...Object.entries(zone.thresholds ?? {}).map(([name, value]) => `${name} from ${value}`)];
  return [zone.ignore ? "ignored" : "looked at", zone.classes && `only ${zone.classes.join(", ")}`, ...own].filter(Boolean).join(", ");
}

// --- checking, saving ---------------------------------------------------------------------------------------

function values() {
  const size = state.model.zones?.size;
  const place = ([x, y]) => (size ? [Math.round(x * size[0] * 100) / 100, Math.round(y * size[1] * 100) / 100]
    : [Math.round(x * 1e4) / 1e4, Math.round(y * 1e4) / 1e4]);
  const zones = state.zones.map((zone) => {
    const kind = zone.look ? "look" : "ignore";
    return { ...zone, [kind]: zone[kind].map(place) };
  });
  return size ? { units: "pixels", size, zones } : { units: "share", zones };
}

const post = async (path) => (await call(judging(path), {
  method: "POST", body: JSON.stringify(values()), headers: { "Content-Type": "application/json" } })).json();

// The service says what is wrong; it knows more than this page.
async function check() {
  const now = state.checking = (state.checking ?? 0) + 1;
  let answer = null, wrong = state.zones.length ? "" : "Add a zone.";
  try { if (!wrong) answer = await post("api/zones/check"); } catch (error) { wrong = error.message; }
  if (now !== state.checking) return;
  state.yaml = answer?.yaml ?? null;
  $("zones-fault").textContent = wrong;
  $("zones-download").disabled = !answer;
  $("zones-save").disabled = !answer || Boolean(answer.why_not_saved) || !state.changed;
  $("zones-note").textContent = answer?.why_not_saved ? `They cannot be saved here: ${answer.why_not_saved}.`
    : "Saved zones hold from the next picture on.";
}

async function save() {
  $("zones-save").disabled = true;
  try {
    const { digest } = await post("api/zones/change");
    $("zones-note").textContent = "Saved; they take over in a moment …";
    for (let waited = 0; waited < 60 && state.model.zones?.digest !== digest; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      state.model = await getJson(address("api/model")).catch(() => state.model);
    }
    edit(false);
  } catch (error) {
    $("zones-fault").textContent = error.message;
  }
}

function tellState() {
  const count = state.model.zones?.zones.length ?? 0;
  $("zones-state").textContent = state.editing && !state.size ? "Inspect a picture: they are drawn over it."
    : state.editing ? `${state.changed ? "Changed, and not saved. " : ""}The verdict above is still by the old ones.`
    : count ? `${count} ${count === 1 ? "zone" : "zones"}: ${state.model.zones.zones.map((zone) => zone.name).join(", ")}` : "The whole picture is looked at.";
}

function edit(on) {
  state.editing = on;
  restore();
  $("zones-editor").hidden = !on;
  $("zones-edit").setAttribute("aria-pressed", on);
  $("zones-edit").textContent = on ? "End without saving" : "Edit";
  for (const id of ["zones-fault", "zones-note"]) $(id).textContent = "";
  list();
  tellState();
  draw();
  if (on) check();
}

$("zones-edit").addEventListener("click", () => edit(!state.editing));
$("zones-add").addEventListener("click", () => add("look"));
$("zones-ignore").addEventListener("click", () => add("ignore"));
$("zones-save").addEventListener("click", save);
$("zones-download").addEventListener("click", () => saveBlob(new Blob([state.yaml], { type: "application/yaml" }), "zones.yaml"));
