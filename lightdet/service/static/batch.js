// Pictures that were given together: each is listed, and their verdict is the worst of them.

import { $, count, make } from "./dom.js";
import { defectsOf } from "./viewer.js";
import { give } from "./verdict.js";

const RANK = { NG: 0, refused: 1, OK: 2 };
const state = { entries: [], worst: null, open: null };

const kindOf = (entry) => entry.result?.decision ?? "refused";

// `open(entry)` shows one of them.
export function begin(open) {
  Object.assign(state, { entries: [], worst: null, open });
  $("batch-list").replaceChildren();
  $("batch").hidden = true;
}

export function close() {
  $("batch").hidden = true;
}

// `entry`: {name, result} of one that was inspected, {name, refusal} of one that was not. Returns the worst so far.
export function add(entry) {
  state.entries.push(entry);
  if (state.worst === null || RANK[kindOf(entry)] < RANK[kindOf(state.worst)]) state.worst = entry;
  const rank = RANK[kindOf(entry)];
  const after = [...$("batch-list").children].find((item) => Number(item.dataset.rank) > rank);
  $("batch-list").insertBefore(itemOf(entry, rank), after ?? null);
  return state.worst;
}

export function worst() {
  return state.worst;
}

function itemOf(entry, rank) {
  const kind = kindOf(entry);
  const told = entry.refusal ?? (entry.result.defects ? defectsOf(entry.result) : "");
  const tag = make("span", { class: `tag ${kind.toLowerCase()}` }, { NG: "✕ NG", OK: "✓ OK", refused: "not inspected" }[kind]);
  const name = make("span", { class: "name" }, entry.name || "no name");
  const text = [tag, name, make("span", { class: "soft" }, told)];
  return make("li", { "data-rank": rank }, entry.result
    ? make("button", { type: "button", "data-id": entry.result.id, onclick: () => state.open(entry) }, ...text)
    : make("div", {}, ...text));
}

// Says the verdict over all of them; with `left` still to come, never OK.
export function tell(left) {
  const { entries } = state;
  const total = entries.length + left;
  const [bad, refused] = ["NG", "refused"].map((kind) => entries.filter((entry) => kindOf(entry) === kind).length);
  $("batch").hidden = total < 2;
  $("batch-title").textContent = `${count(total, "picture")} given together`;
  const counts = [bad && `${bad} NG`, refused && `${refused} not inspected`].filter(Boolean).join(", ");
  const told = left ? `${entries.length} of ${total} pictures so far${counts && `: ${counts}`}`
    : counts ? `of ${count(total, "picture")}: ${counts}` : `all ${total} pictures`;
  if (bad) give("NG", total > 1 ? told : defectsOf(state.worst.result));
  else if (left) give("Inspecting", told);
  else if (refused) give("Not inspected", total > 1 ? told : "");
  else give("OK", total > 1 ? told : "no defects");
}
