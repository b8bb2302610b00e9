// Boxes and their names, over the picture on the page and on the copy that is saved.

import { $, make, makeSvg } from "./dom.js";
import { placeLabels } from "./labels.js";
import { color } from "./colors.js";

const nameOf = (detection) => `${detection.name} ${detection.score.toFixed(2)}`;

// `flags` says which detections count; the others are drawn where `weak` is true, and have no name.
export function drawBoxes(result, flags, weak) {
  const svg = $("boxes");
  const [width, height] = result.size;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const size = 15 * width / Math.max(1, $("frame").clientWidth); // 15 pixels of the screen, in the picture's
  const shown = result.detections.map((detection, index) => ({ detection, index, counted: flags[index] }))
    .filter(({ counted }) => counted || weak);
  const places = placesOf(shown.filter(({ counted }) => counted), size, result.size);
  // The best on top, and all names over all boxes.
  svg.replaceChildren(
    ...[...shown].reverse().map(({ detection, index, counted }) => boxOf(detection, index, counted)),
    ...shown.filter(({ index }) => places.get(index)).map(({ detection, index }) => makeSvg("text", {
      ...places.get(index), class: "box-text", fill: color(detection.label),
      "font-size": size, "stroke-width": size * 0.28, "data-index": index,
    }, nameOf(detection))));
}

function placesOf(shown, size, area) {
  const places = placeLabels(shown.map(({ detection }) => ({ box: detection.box, text: nameOf(detection) })), size, area);
  return new Map(shown.map(({ index }, i) => [index, places[i]]));
}

function boxOf(detection, index, counted) {
  const [x1, y1, x2, y2] = detection.box;
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  return makeSvg("g", { class: counted ? "counted" : "weak", "data-index": index },
    makeSvg("rect", { ...place, class: "box-halo" }),
    makeSvg("rect", { ...place, class: "box-line", stroke: color(detection.label) }));
}

// Returns a canvas with the picture and the defects that the service found.
export function markedPicture(picture, result) {
  const canvas = make("canvas", { width: result.size[0], height: result.size[1] });
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const line = Math.max(2, Math.round((canvas.width + canvas.height) / 400));
  const letters = Math.max(11, Math.round((canvas.width + canvas.height) / 80));
  pen.font = `bold ${letters}px ${getComputedStyle(document.body).fontFamily}`;
  pen.lineJoin = "round";
  const shown = result.detections.map((detection, index) => ({ detection, index })).filter(({ detection }) => detection.defect);
  for (const { detection } of shown) {
    const [x1, y1, x2, y2] = detection.box;
    for (const [width, tone] of [[line * 2, "#000"], [line, color(detection.label)]]) {
      pen.lineWidth = width;
      pen.strokeStyle = tone;
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
  }
  const places = placesOf(shown, letters, result.size);
  for (const { detection, index } of shown) {
    const place = places.get(index);
    if (!place) continue;
    pen.lineWidth = letters * 0.3;
    pen.strokeStyle = "#000";
    pen.strokeText(nameOf(detection), place.x, place.y);
    pen.fillStyle = color(detection.label);
    pen.fillText(nameOf(detection), place.x, place.y);
  }
  return canvas;
}
