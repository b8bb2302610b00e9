// Asks the server; what it refuses comes as an error with its code.

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
