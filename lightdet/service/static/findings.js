// The list of findings: one stop for the keyboard, arrows go through it, Enter or a click looks closer.

import { $, make } from "./dom.js";
import { color } from "./colors.js";
import { lookAtBox } from "./zoom.js";

let selected = null;
let nothing = "";

export function clearFindings() {
  selected = null;
  $("findings").replaceChildren();
  $("findings").removeAttribute("aria-activedescendant");
  $("findings-title").textContent = "Findings";
  $("findings-note").textContent = "";
}

// `flags` says which detections count; the others are listed where `weak` is true.
export function drawFindings(result, flags, weak) {
  const items = result.detections.map((each, index) => ({ each, index, counted: flags[index] }))
    .filter(({ counted }) => counted || weak)
    .map(({ each, index, counted }) => finding(each, index, counted));
  $("findings-title").textContent = `Findings${items.length ? ` (${items.length})` : ""}`;
  $("findings").replaceChildren(...items);
  nothing = result.rule.none ? "not judged" : "nothing that counts";
  select(items.find((item) => item.id === selected) ?? null);
}

// A list that is cut off says how much lies below.
function tellMore() {
  const list = $("findings");
  const end = list.scrollTop + list.clientHeight + 4;
  const below = [...list.children].filter((item) => item.offsetTop + item.offsetHeight > end).length;
  $("findings-note").textContent = !list.children.length ? nothing : below ? `↓ ${below} more below` : "";
  $("findings-note").classList.toggle("more", below > 0);
}

function finding(each, index, counted) {
  const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.background = color(each.label);
  const [x1, y1, x2, y2] = each.box;
  const item = make("li", { role: "option", id: `finding-${index}`, "aria-selected": "false", class: counted ? "" : "off",
    onmouseenter: () => light(index, true), onmouseleave: () => light(index, false),
    title: `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)} pixels; click to look closer` },
    swatch, make("span", { class: "name" }, each.name, each.zones?.length ? make("span", { class: "soft" }, ` ${each.zones.join(", ")}`) : null), make("span", { class: "score" }, each.score.toFixed(2)));
  item.addEventListener("click", () => { select(item); lookAtBox(each.box); });
  return item;
}

function light(index, on) {
  $("boxes").querySelector(`g[data-index="${index}"]`)?.classList.toggle("lit", on);
}

// The box of the selected one is drawn with a thicker line.
export function lightSelected() {
  for (const each of $("findings").children) light(each.id.replace("finding-", ""), each.id === selected);
}

function select(item) {
  for (const each of $("findings").children) each.setAttribute("aria-selected", each === item);
  selected = item?.id ?? null;
  lightSelected();
  if (item) {
    $("findings").setAttribute("aria-activedescendant", item.id);
    if (document.activeElement === $("findings")) item.scrollIntoView({ block: "nearest" });
  } else {
    $("findings").removeAttribute("aria-activedescendant");
  }
  tellMore();
}

$("findings").addEventListener("scroll", tellMore);
$("findings").addEventListener("keydown", (event) => {
  const items = [...$("findings").children];
  const at = items.findIndex((item) => item.id === selected);
  const next = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined && event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
  if (event.key === "Enter") items[at]?.click();
  else if (items[next]) select(items[next]);
});
