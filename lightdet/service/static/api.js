// Talks to the service; asks for the API key where one is needed.

const KEY = "lightdet-key";

export class Refused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

let asking = null;

function askForKey() {
  // One dialog for all requests that were refused at the same time.
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    const input = document.getElementById("key");
    input.value = "";
    dialog.addEventListener("close", () => {
      asking = null;
      if (input.value) sessionStorage.setItem(KEY, input.value);
      resolve(Boolean(input.value));
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

async function send(path, options) {
  const headers = new Headers(options.headers);
  const key = sessionStorage.getItem(KEY);
  if (key) headers.set("X-API-Key", key);
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable", "The service cannot be reached. Is it running?");
  }
  if (response.ok) return response;
  let told = {};
  try { told = (await response.json()).error ?? {}; } catch { /* no JSON: something between us and the service */ }
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new Refused(response.status, told.code ?? "error", told.message ?? `Error ${response.status}`, wait);
}

export async function call(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    try {
      return await send(path, options);
    } catch (error) {
      if (error.status !== 401) throw error;
      if (sessionStorage.getItem(KEY) === key) {
        sessionStorage.removeItem(KEY);
        if (!await askForKey()) throw error;
      }
    }
  }
}

export async function getJson(path) {
  return (await call(path)).json();
}

export async function download(path) {
  const response = await call(path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "download";
  saveBlob(await response.blob(), name);
}

export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Sends a picture; where the service is busy, waits as it says and tries again a few times.
export async function inspect(blob, { name = "", preview = false, path = "api/detect" } = {}) {
  const [place, given] = path.split("?");
  const query = new URLSearchParams(given);
  if (name) query.set("name", name);
  if (preview) query.set("picture", "plain");
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await call(`${place}?${query}`, {
        method: "POST", body: blob, headers: { "Content-Type": "application/octet-stream" },
      });
      return await response.json();
    } catch (error) {
      if (error.status !== 503 || attempt >= 4) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(error.retryAfter || 1, 10)));
    }
  }
}
