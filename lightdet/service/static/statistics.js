// How many parts were bad, of what, and whether that has changed: tiles, bars and the p-chart.

import { download, getJson } from "./api.js";
import { $, count, make, makeSvg, percent } from "./dom.js";
import { names, offer } from "./models.js";
import { clock, day, when } from "./times.js";
import { say } from "./viewer.js";

// Nelson's rules, by their numbers; `nelson.py` looks for them.
const RULES = ["", "outside", "9 on one side", "6 rising or falling", "14 up and down in turn", "2 of 3 beyond 2σ",
  "4 of 5 beyond 1σ", "15 within 1σ", "8 beyond 1σ"];
const HOURS = { hour: 1, week: 7 * 24, month: 30 * 24 };

function span() {
  const period = $("period").value;
  const wanted = new URLSearchParams();
  if (period === "today") {
    const midnight = new Date();
    midnight.setHours(0, 0, 0, 0);
    wanted.set("since", midnight.toISOString());
  } else if (HOURS[period]) {
    const start = new Date(Date.now() - HOURS[period] * 3_600_000);
    start.setSeconds(0, 0); // so that samples do not move with every look
    wanted.set("since", start.toISOString());
  }
  if ($("statistics-model").value) wanted.set("model", $("statistics-model").value);
  return wanted;
}

export function setUp() {
  if (names().length > 1) offer($("statistics-model"));
}

export async function refresh() {
  const wanted = span();
  if ($("nelson").checked) wanted.set("nelson", "true");
  const found = await getJson(`api/statistics?${wanted}`);
  $("inspected").textContent = found.inspected.toLocaleString();
  $("rejected").textContent = found.rejected.toLocaleString();
  $("share").textContent = found.share === null ? "–" : percent(found.share);
  const last = found.chart.points.at(-1);
  $("control").textContent = !last ? "–" : !last.signal ? "within limits" : last.rules.includes(1) ? "outside limits" : "a pattern";
  $("control").className = last?.signal ? "bad" : "";
  $("overridden").hidden = !found.overridden;
  $("overridden").textContent = `Not counted: ${count(found.overridden, "inspection")} by a threshold of the caller's own, or without a verdict.`;
  drawChart(found.chart);
  tellOf(found.chart);
  drawTable(found.chart);
  drawClasses(found.classes);
}

// What the picture does not show: what the centre is taken from, and the sample that is still counted.
function tellOf({ points, left_out, spread, unfinished, seconds }) {
  const notes = [
    left_out && `The centre leaves out ${count(left_out, "sample")} outside the limits.`,
    spread > 1 && `The limits are ${spread.toFixed(1)} times as wide as chance alone (Laney’s p′): these large samples differ by more.`,
    unfinished && `The sample from ${when(unfinished.time)} to ${clock(Date.parse(unfinished.time) + seconds * 1000)} is not over: ${unfinished.rejected} of ${unfinished.inspected} NG so far${points.length ? "" : "; the chart begins with it"}.`,
  ].filter(Boolean);
  $("chart-note").textContent = notes.join(" ");
  $("chart-note").hidden = !notes.length;
  $("nelson-note").hidden = !$("nelson").checked;
}

const HEIGHT = 270, LEFT = 52, RIGHT = 60, TOP = 14, BOTTOM = 34;
let drawn = null;

// Drawn anew at the width that there is, so that its letters keep their size.
new ResizeObserver(() => { if (drawn) drawChart(drawn); }).observe($("pchart"));

function drawChart(chart) {
  drawn = chart;
  const { points } = chart;
  const WIDTH = Math.max(300, Math.round($("pchart").clientWidth || 760));
  if (!points.length) {
    const why = chart.unfinished ? "No sample is over yet." : "Nothing was inspected in this time.";
    $("pchart").replaceChildren(make("p", { class: "soft" }, why));
    return;
  }
  const top = niceTop(Math.max(...points.map((p) => Math.max(p.share, p.upper)), 0.01));
  const half = chart.seconds * 500;
  const times = points.map((p) => Date.parse(p.time) + half);
  const first = times[0] - half, last = times.at(-1) + half;
  const x = (time) => LEFT + (WIDTH - LEFT - RIGHT) * (time - first) / (last - first);
  const y = (share) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - share / top);
  const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": describe(chart) });
  const lines = Math.round(top / 10 ** Math.floor(Math.log10(top * 1.0001))) % 5 ? 4 : 5;
  for (let i = 0; i <= lines; i += 1) {
    const share = top * i / lines;
    svg.append(makeSvg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }),
      makeSvg("text", { x: LEFT - 8, y: y(share) + 4, "text-anchor": "end" }, shortPercent(share, top)));
  }
  svg.append(makeSvg("path", { class: "band", d: `${steps(points, times, half, x, y, "upper")} L${steps(points, times, half, x, y, "lower", true)} Z` }));
  for (const side of ["upper", "lower"]) {
    svg.append(makeSvg("path", { class: "limit", d: steps(points, times, half, x, y, side) }));
  }
  svg.append(makeSvg("line", { class: "center", x1: LEFT, x2: WIDTH - RIGHT, y1: y(chart.center), y2: y(chart.center) }),
    makeSvg("text", { x: WIDTH - RIGHT + 6, y: y(chart.center) + 4, class: "value" }, shortPercent(chart.center, top)),
    makeSvg("path", { class: "line", d: points.map((p, i) => `${i ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(p.share).toFixed(1)}`).join(" ") }));
  points.forEach((point, i) => svg.append(dot(point, x(times[i]), y(point.share))));
  for (const [time, anchor] of [[first, "start"], [(first + last) / 2, "middle"], [last, "end"]]) {
    svg.append(makeSvg("text", { x: x(time), y: HEIGHT - 10, "text-anchor": anchor }, shortTime(time, last - first)));
  }
  $("pchart").replaceChildren(svg);
}

// The limits hold for the width of a sample and jump to the next one's.
function steps(points, times, half, x, y, side, backwards = false) {
  const corners = points.flatMap((p, i) => [[x(times[i] - half), y(p[side])], [x(times[i] + half), y(p[side])]]);
  if (backwards) corners.reverse();
  const text = corners.map(([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`).join(" L");
  return backwards ? text : `M${text}`;
}

function dot(point, x, y) {
  const broken = point.rules.map((rule) => `; ${RULES[rule]}`).join("");
  const title = makeSvg("title", {}, `${when(point.time)}: ${point.rejected} of ${point.inspected} NG (${percent(point.share)})${broken}`);
  if (point.signal) {
    return makeSvg("path", { class: point.rules.includes(1) ? "signal" : "signal pattern", d: `M${x} ${y - 7} L${x + 7} ${y} L${x} ${y + 7} L${x - 7} ${y} Z` }, title);
  }
  return makeSvg("circle", { class: "dot", cx: x, cy: y, r: 3.6 }, title);
}

function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const nice = [1, 2, 4, 5, 10].find((step) => step * power >= value - 1e-12) * power;
  return Math.min(1, nice);
}

function shortPercent(share, top) {
  return `${(100 * share).toFixed(top <= 0.02 ? 2 : top <= 0.2 ? 1 : 0)} %`;
}

function shortTime(time, span) {
  const shortClock = clock(time, span < 600_000);
  if (span <= 86_400_000) return shortClock;
  return span <= 7 * 86_400_000 ? `${day(time)} ${shortClock}` : day(time);
}

function describe(chart) {
  const out = chart.points.filter((p) => p.rules.includes(1)).length;
  const others = chart.points.filter((p) => p.signal).length - out;
  return `p-chart with ${chart.points.length} samples, centre ${percent(chart.center)}, ${out} outside their limits${others ? `, ${others} at the end of a pattern` : ""}`;
}

function drawTable(chart) {
  const head = ["Sample", "Inspected", "NG", "Share", "Lower", "Upper", "Signal"];
  const rows = chart.points.map((p) => [when(p.time), p.inspected, p.rejected, percent(p.share), percent(p.lower), percent(p.upper), p.rules.map((rule) => RULES[rule]).join("; ")]);
  $("ptable").replaceChildren(make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value) => make("td", {}, String(value))))))));
}

function drawClasses(classes) {
  const sorted = [...classes].sort((a, b) => b.defects - a.defects);
  const most = Math.max(1, ...sorted.map((each) => each.defects));
  const line = 40, width = 380;
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${sorted.length * line}`, role: "img", "aria-label": sorted.map((each) => `${each.name} ${each.defects}`).join(", ") });
  sorted.forEach((each, i) => {
    const y = i * line;
    svg.append(makeSvg("text", { x: 0, y: y + 14 }, each.name.length > 44 ? `${each.name.slice(0, 43)}…` : each.name),
      makeSvg("text", { x: width, y: y + 14, class: "value", "text-anchor": "end" }, each.defects.toLocaleString()),
      makeSvg("rect", { class: "track", x: 0, y: y + 21, width, height: 9, rx: 3 }),
      makeSvg("rect", { class: "bar", x: 0, y: y + 21, width: width * each.defects / most, height: 9, rx: 3 },
        makeSvg("title", {}, `${each.defects} in ${each.pictures} pictures`)));
  });
  $("classes").replaceChildren(svg);
}

const failed = (error) => say(error.message);
for (const id of ["period", "nelson", "statistics-model"]) $(id).addEventListener("change", () => refresh().catch(failed));
$("csv").addEventListener("click", () => download(`api/inspections.csv?${span()}`).catch(failed));
$("csv-detections").addEventListener("click", () => download(`api/inspections.csv?rows=detections&${span()}`).catch(failed));
