// Where a point of a zone goes.

const inside = (share) => Math.min(1, Math.max(0, share));

// Within the picture; on its border, or on another zone's point, if that is `near` [across, down].
export function heldBy([x, y], others, near) {
  const at = [inside(x), inside(y)];
  const other = others.find((point) => point.every((value, axis) => Math.abs(value - at[axis]) <= near[axis]));
  if (other) return [...other];
  return at.map((value, axis) => (value <= near[axis] ? 0 : value >= 1 - near[axis] ? 1 : value));
}

export const moved = (point, [right, down], step) => [inside(point[0] + right * step), inside(point[1] + down * step)];
