// The report of one shift: counts, bad share per hour and class, the worst pictures; for paper as well.

import { call, getJson } from "./api.js";
import { $, count, make, percent } from "./dom.js";
import * as models from "./models.js";
import { clock, day, when, zone } from "./times.js";

const HOUR = 3_600_000;
const WORST = 12, LOOKED_AT = 200;
const CLASSES_ACROSS = 6; // in the table by hour; all are in the one by class

// --- which shift ------------------------------------------------------------------------------------------

const two = (number) => String(number).padStart(2, "0");
const dateOf = (time) => `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;

// The day on which a shift that begins at this time has begun last.
function begun(from, now) {
  const clockNow = `${two(now.getHours())}:${two(now.getMinutes())}`;
  return dateOf(new Date(now.getFullYear(), now.getMonth(), now.getDate() - (from > clockNow ? 1 : 0)));
}

// Of the three shifts of eight hours, the one that has begun last.
function current(now) {
  const hour = now.getHours();
  return hour >= 22 || hour < 6 ? ["22:00", "06:00"] : hour >= 14 ? ["14:00", "22:00"] : ["06:00", "14:00"];
}

function fromAddress(now = new Date()) {
  const given = new URLSearchParams(location.search);
  const pick = (name, form, usual) => (form.test(given.get(name) ?? "") ? given.get(name) : usual);
  const [usualFrom, usualTo] = current(now);
  const from = pick("from", /^\d{2}:\d{2}$/, usualFrom);
  return { day: pick("day", /^\d{4}-\d{2}-\d{2}$/, begun(from, now)), from, to: pick("to", /^\d{2}:\d{2}$/, usualTo) };
}

// One that does not end after it began ends on the next day.
function spanOf({ day: date, from, to }) {
  const at = (text, days) => {
    const [year, month, dayOfMonth] = date.split("-").map(Number);
    return new Date(year, month - 1, dayOfMonth + days, ...text.split(":").map(Number)).getTime();
  };
  return [at(from, 0), at(to, to > from ? 0 : 1)];
}

function fill({ day: date, from, to }) {
  Object.assign($("day"), { value: date });
  Object.assign($("from"), { value: from });
  Object.assign($("to"), { value: to });
  const known = [...$("shift").options].some((option) => option.value === `${from}-${to}`);
  $("shift").value = known ? `${from}-${to}` : "";
}

const chosen = () => ({ day: $("day").value, from: $("from").value, to: $("to").value });

// --- what it says -----------------------------------------------------------------------------------------

async function report() {
  const [begin, end] = spanOf(chosen());
  $("alert").hidden = true;
  const model = await getJson(models.address("api/model"));
  const now = Date.now();
  const hours = [];
  for (let start = begin; start < Math.min(end, now); start += HOUR) {
    $("progress").textContent = `Reading ${clock(start, false)} …`;
    const stop = Math.min(start + HOUR, end);
    const wanted = new URLSearchParams({ since: new Date(start).toISOString(), until: new Date(stop).toISOString(), points: 1, ...models.filter() });
    hours.push({ start, stop, ...await getJson(`api/statistics?${wanted}`) });
  }
  $("progress").textContent = "";
  const total = sum(hours);
  tell(begin, end, now, model, total);
  tableOfHours(hours, total);
  tableOfClasses(total);
  await pictures(begin, end);
  $("sheet").hidden = false;
}

function sum(hours) {
  const classes = new Map();
  for (const { classes: found } of hours) {
    for (const { name, defects, pictures: bad } of found) {
      const before = classes.get(name) ?? { name, defects: 0, pictures: 0 };
      classes.set(name, { name, defects: before.defects + defects, pictures: before.pictures + bad });
    }
  }
  const of = (key) => hours.reduce((all, hour) => all + hour[key], 0);
  const sorted = [...classes.values()].sort((a, b) => b.pictures - a.pictures);
  return { inspected: of("inspected"), rejected: of("rejected"), overridden: of("overridden"), classes: sorted };
}

const shareOf = (part, all) => (all ? percent(part / all) : "–");

function tell(begin, end, now, model, total) {
  $("span").textContent = `${when(begin)} to ${when(end)}`;
  document.title = `Shift report ${chosen().day} ${chosen().from}–${chosen().to}`;
  $("about").textContent = `Model served now: ${model.name}, version ${model.version}. Written ${when(now)}.`;
  $("inspected").textContent = total.inspected.toLocaleString();
  $("accepted").textContent = (total.inspected - total.rejected).toLocaleString();
  $("rejected").textContent = total.rejected.toLocaleString();
  $("share").textContent = shareOf(total.rejected, total.inspected);
  $("notes").textContent = [
    now < end && "This shift is not over: the report goes as far as now.",
    total.overridden && `Not counted: ${count(total.overridden, "inspection")} by a caller's own threshold, or without a verdict.`,
  ].filter(Boolean).join(" ");
}

function cells(kind, values) {
  return values.map((value, i) => make(i ? kind : "th", i ? {} : { scope: "row" }, value));
}

function table(head, rows, foot) {
  return make("table", {}, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map(([values, empty]) => make("tr", { class: empty ? "none" : null }, ...cells("td", values)))),
    foot ? make("tfoot", {}, make("tr", {}, ...cells("td", foot))) : null);
}

function tableOfHours(hours, total) {
  const names = total.classes.filter((each) => each.pictures).slice(0, CLASSES_ACROSS).map((each) => each.name);
  const row = (label, hour) => [label, hour.inspected, hour.rejected, shareOf(hour.rejected, hour.inspected),
    ...names.map((name) => shareOf(hour.classes.find((each) => each.name === name)?.pictures ?? 0, hour.inspected))].map(String);
  const long = hours.length > 24;
  const rows = hours.map((hour) => [row(`${long ? `${day(hour.start)} ` : ""}${clock(hour.start, false)}–${clock(hour.stop, false)}`, hour), !hour.inspected]);
  const head = [`Hour (${zone()})`, "Inspected", "NG", "Share of NG", ...names];
  $("hours").replaceChildren(table(head, rows, row("Shift", total)));
}

function tableOfClasses(total) {
  const rows = total.classes.map(({ name, defects, pictures: bad }) => [
    [name, String(defects), String(bad), shareOf(bad, total.inspected)], !bad]);
  $("classes").replaceChildren(table(["Class", "Defects", "Parts with it", "Share of all parts"], rows));
}

// --- the worst pictures -----------------------------------------------------------------------------------

const highest = (result) => Math.max(0, ...result.detections.filter((each) => each.defect).map((each) => each.score));

async function pictures(begin, end) {
  const wanted = new URLSearchParams({ since: new Date(begin).toISOString(), until: new Date(end).toISOString(), decision: "NG", limit: LOOKED_AT, ...models.filter() });
  const found = (await getJson(`api/inspections?${wanted}`)).results;
  const worst = found.filter((result) => !result.overridden)
    .sort((a, b) => b.defects - a.defects || highest(b) - highest(a)).slice(0, WORST);
  $("worst-note").textContent = !worst.length ? "No bad parts."
    : `Most defects first, then the highest score${found.length === LOOKED_AT ? `; of the last ${LOOKED_AT} bad parts` : ""}.`;
  $("worst").replaceChildren(...await Promise.all(worst.map(card)));
}

async function card(result) {
  const names = [...new Set(result.detections.filter((each) => each.defect).map((each) => each.name))];
  const name = result.name || "no name";
  return make("li", {}, await picture(result, name), make("p", {}, make("a", { href: `./#${result.id}` }, name)),
    make("p", {}, `${count(result.defects, "defect")}, up to ${highest(result).toFixed(2)}: ${names.join(", ")}`),
    make("p", {}, clock(result.time)));
}

async function picture(result, name) {
  try {
    const image = make("img", { alt: `Inspected picture of ${name}` });
    image.src = URL.createObjectURL(await (await call(`api/inspections/${result.id}/thumbnail`)).blob());
    await image.decode(); // all are there before anyone prints
    return image;
  } catch {
    return make("div", { class: "kept" }, "no picture is kept");
  }
}

// --- wiring -----------------------------------------------------------------------------------------------

function show() {
  $("sheet").hidden = true;
  report().catch(failed);
}

function failed(error) {
  $("progress").textContent = "";
  $("alert").textContent = error.message;
  $("alert").hidden = false;
}

$("shift").addEventListener("change", () => {
  if (!$("shift").value) return;
  [$("from").value, $("to").value] = $("shift").value.split("-");
});
for (const id of ["from", "to"]) $(id).addEventListener("change", () => fill(chosen()));
$("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  history.replaceState(null, "", `?${new URLSearchParams({ ...chosen(), ...models.filter() })}`);
  show();
});
$("print").addEventListener("click", () => print());

fill(fromAddress());
models.setUp(show).then(show, failed);
