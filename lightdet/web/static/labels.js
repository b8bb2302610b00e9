// Places for the names of boxes, so that none lies over another.

const LINE = 1.3; // height of a line in letter sizes, with the letters' dark edge
const pen = document.createElement("canvas").getContext("2d");

function widthOf(text, size) {
  pen.font = `bold 100px ${getComputedStyle(document.body).fontFamily}`;
  return (pen.measureText(text).width / 100 + 0.4) * size;
}

// `boxes`: {box: [x1, y1, x2, y2], text}, the most important first. Returns {x, y} of each text's baseline, or null
// where no place is free: its finding still stands in the list.
export function placeLabels(boxes, size, [width, height]) {
  const taken = [];
  return boxes.map(({ box, text }) => {
    const place = freePlace(box, widthOf(text, size), size * LINE, [width, height], taken);
    if (place === null) return null;
    taken.push(place);
    return { x: place.left + 0.2 * size, y: place.top + size };
  });
}

function freePlace([x1, y1, x2, y2], wide, high, [width, height], taken) {
  const lines = Math.ceil(height / high);
  const steps = Array.from({ length: lines }, (_, i) => i);
  // Above and below the box, then inside it and further away, line by line.
  const tops = [y1 - high, y2, ...steps.flatMap((i) => [y1 + i * high, y1 - (i + 2) * high])];
  const lefts = [x1, x2 - wide, x1 + wide, x1 - wide].map((left) => Math.max(0, Math.min(left, width - wide)));
  for (const top of tops) {
    if (top < 0 || top + high > height) continue;
    for (const left of lefts) {
      const place = { left, top, right: left + wide, bottom: top + high };
      if (!taken.some((other) => overlap(place, other))) return place;
    }
  }
  return null;
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom - 1e-6 && b.top < a.bottom - 1e-6;
}
