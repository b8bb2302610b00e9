// The picture on the stage: loaded first, then shown.

import { $ } from "./dom.js";
import { call } from "./calls.js";

// A browser shows what it has of an address without asking; so the address names the file as it is now.
const addressOf = ({ id, image }) => `pictures/${id}/image?as=${image}`;

// Shows the picture of an answer, as long as it is `wanted()`. Returns why it cannot be shown; then none is.
export async function show(told, wanted) {
  const address = addressOf(told);
  if (await loads(new Image(), address) && (!wanted() || await loads($("picture"), address))) return "";
  if (wanted()) $("picture").removeAttribute("src");
  return call("GET", address).then(() => "This browser cannot show the picture.", (error) => error.message);
}

function loads(image, address) {
  return new Promise((go) => {
    image.onload = () => go(true);
    image.onerror = () => go(false);
    image.src = `api/${address}`;
  });
}

// Loads a picture that is probably looked at next.
export async function prefetch(id) {
  try { new Image().src = `api/${addressOf(await call("GET", `pictures/${id}`))}`; } catch { /* told when it is opened */ }
}
