// Asks the API of the server that the page came from; used by `page.js`.

export class Refused extends Error {
  constructor(status, error) {
    super(error.hint ? `${error.message} — ${error.hint}` : error.message);
    this.status = status; // 0 when the server did not answer
  }
}

// Kept until the browser's tab is closed.
export function setToken(token) {
  sessionStorage.setItem("token", token);
}

export async function ask(path) {
  return (await fetchFrom(path)).json();
}

export async function act(verb, path, body) {
  const json = { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return fetchFrom(path, { method: verb, ...(body ? json : {}) });
}

// Each event and each comment that comes after the event with the id `last`, until the stream ends. By fetch and not by
// EventSource, which can neither carry a token nor try again after a refusal.
export async function* eventsAfter(last) {
  const response = await fetchFrom("events", { headers: last === null ? {} : { "Last-Event-ID": last } });
  for await (const block of blocks(response.body)) yield parse(block);
}

async function fetchFrom(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token.replace(/[^ -~]/gu, encodeURIComponent)}`; // tokens are ASCII
  let response;
  try {
    response = await fetch(`api/v1/${path}`, { ...options, headers });
  } catch {
    throw new Refused(0, { message: "This page's server does not answer", hint: "was the plugin stopped?" });
  }
  if (response.ok) return response;
  if (response.status === 401) document.dispatchEvent(new CustomEvent("locked", { detail: Boolean(token) }));
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error ?? { message: `${response.status} ${response.statusText}` });
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      kept += value;
      const whole = kept.split("\n\n");
      kept = whole.pop();
      yield* whole;
    }
  } finally {
    await reader.cancel(); // whoever stops listening leaves no stream open
  }
}

function parse(block) {
  const event = { comment: "", data: "", id: null };
  for (const line of block.split("\n")) {
    if (line.startsWith(":")) event.comment = line;
    else if (line.startsWith("id: ")) event.id = line.slice(4);
    else if (line.startsWith("data: ")) event.data += line.slice(6);
  }
  return event;
}
