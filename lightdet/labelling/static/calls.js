// Asks the server; what it refuses comes as an error with its code.

// The address that the server shows may have a key. This browser keeps it until it is closed.
const given = new URLSearchParams(location.search).get("key");
if (given) {
  document.cookie = `lightdet-label-key=${encodeURIComponent(given)}; path=/; SameSite=Strict`;
  history.replaceState(null, "", location.pathname + location.hash);
}

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

export async function call(method, path, body = null, options = {}) {
  let response;
  try {
    response = await fetch(`api/${path}`, {
      method, ...options, ...(body ? { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {}),
    });
  } catch {
    throw new Refused(0, "unreachable", "The server cannot be reached.");
  }
  let told = {};
  try { told = await response.json(); } catch { /* no JSON: something between us and the server */ }
  if (response.ok) return told;
  throw new Refused(response.status, told.error?.code ?? "error", told.error?.message ?? `Error ${response.status}`);
}
