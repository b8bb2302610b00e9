// Over the picture: the names of the boxes, and what a model proposes.

import { $, makeSvg } from "./dom.js";
import { color } from "./colors.js";
import { placeLabels } from "./labels.js";

const LETTERS = 14; // pixels of the screen

// `marks`: {box, name, label}; `proposals`: the same with a score. `scale`: screen pixels per picture pixel.
export function drawOver(marks, proposals, size, scale) {
  const svg = $("over");
  svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const letters = LETTERS / scale;
  const named = [...marks, ...proposals].map((each) => ({ ...each, text: textOf(each) }));
  const places = placeLabels(named, letters, size);
  svg.replaceChildren(
    ...proposals.map(({ box: [x1, y1, x2, y2], label }) => {
      const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
      return makeSvg("g", { class: "proposed" }, makeSvg("rect", { ...place, class: "halo" }),
        makeSvg("rect", { ...place, stroke: color(label) }));
    }),
    ...named.map((each, index) => places[index] && makeSvg("text", {
      ...places[index], class: "box-name", fill: color(each.label), "font-size": letters, "stroke-width": letters * 0.28,
    }, each.text)).filter(Boolean));
}

const textOf = ({ name, score }) => (score === undefined ? name : `${name} ${score.toFixed(2)}`);
