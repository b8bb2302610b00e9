// What would count at another threshold: for looking only. What does count, the service says (`defect`).

const SLACK = 1e-6;

// As lightdet/decisions.py has it; one threshold takes the place of all others. Classifiers have no sizes.
export function wouldCount(detection, rule, threshold) {
  const [x1, y1, x2, y2] = detection.box;
  const size = rule.min_sizes?.[detection.name] ?? rule.min_size ?? 0;
  return Math.max(x2 - x1, y2 - y1) >= size - SLACK && detection.score >= threshold;
}
