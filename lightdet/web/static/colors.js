// Okabe and Ito's colours, told apart with any common colour blindness; the same as on marked-up pictures.
const PALETTE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2", "#ffffff"];

export function color(label) {
  return PALETTE[label % PALETTE.length];
}
