// The page: asks the API of the server that it came from, draws what it is told, and follows the events.
"use strict";

const REFRESH_MS = 15000; // subjects may change without an event
const SETTLE_MS = 250; // events come in bursts; one look is enough for all of them
const RETRY_MS = 2000;
const SURE_MS = 4000;
const MAX_EVENTS = 200;
const MAX_SPOKEN = 4000; // characters of one line of the events
const MAX_ENDED = 8; // runs that have ended; the rest is for `animus workflow list`
const PAGE = 100;

const TONES = {
  ready: "good", completed: "good", healthy: "good", running: "busy", "in-progress": "busy", "in-flight": "busy",
  pending: "busy", held: "warn", paused: "warn", blocked: "warn", degraded: "warn", failed: "bad", unhealthy: "bad",
};
const PRIORITIES = { 1: "critical", 2: "high", 3: "medium", 4: "low" };
const ENDED = new Set(["completed", "failed", "cancelled"]);
const WAITING = new Set(["ready", "held", "in-flight"]);

const $ = (id) => document.getElementById(id);
const state = { subjects: null, more: false, queue: [], runs: [], limit: PAGE };
const notices = new Map();

// --- Asking -----------------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, error) {
    super(error.hint ? `${error.message} — ${error.hint}` : error.message);
    this.status = status;
  }
}

async function fetchFrom(path, options = {}) {
  const headers = { ...options.headers };
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(`api/v1/${path}`, { ...options, headers });
  } catch {
    throw new Refused(0, { message: "This page's server does not answer", hint: "was the plugin stopped?" });
  }
  if (response.ok) return response;
  if (response.status === 401) $("unlock").open || $("unlock").showModal();
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error ?? { message: `${response.status} ${response.statusText}` });
}

async function ask(path) {
  return (await fetchFrom(path)).json();
}

async function act(verb, path, body) {
  const json = { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return fetchFrom(path, { method: verb, ...(body ? json : {}) });
}

// --- Drawing ----------------------------------------------------------------------------------------------------

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function badge(status) {
  return element("span", { class: `badge ${TONES[status] ?? ""}` }, status.replace("-", " "));
}

function empty(title, ...advice) {
  return element("div", { class: "empty" }, element("strong", {}, title), ...advice);
}

function code(text) {
  return element("code", {}, text);
}

function action(label, subject, doing, { sure = false } = {}) {
  const attributes = { type: "button", "data-key": `${label} ${subject}`, "aria-label": `${label} ${subject}` };
  const button = element("button", attributes, label);
  button.addEventListener("click", async () => {
    if (sure && !button.classList.contains("danger")) {
      button.textContent = `${label}?`;
      button.setAttribute("aria-label", `${label} ${subject}: press again to confirm`);
      button.classList.add("danger");
      setTimeout(() => {
        button.textContent = label;
        button.setAttribute("aria-label", `${label} ${subject}`);
        button.classList.remove("danger");
      }, SURE_MS);
      return;
    }
    button.disabled = true;
    try {
      await doing();
      notice(`${label} ${subject}`, null);
    } catch (error) {
      notice(`${label} ${subject}`, `${label} ${subject}: ${error.message}`);
    }
    button.disabled = false;
    refreshSoon();
  });
  return button;
}

function row(id, title, facts, actions, reason) {
  return element(
    "div", { class: "row" },
    element("div", { class: "title" }, element("span", { class: "id" }, id), element("strong", { title }, title)),
    element("div", { class: "facts" }, ...facts.filter(Boolean).map((fact) => element("span", {}, fact))),
    element("div", { class: "actions" }, ...actions),
    reason ? element("div", { class: "reason" }, reason) : null,
  );
}

// Rows are made anew only when what they show has changed, and the focus stays where it was.
const drawn = new Map();
function draw(place, shown, rows) {
  const text = JSON.stringify(shown);
  if (drawn.get(place) === text) return;
  drawn.set(place, text);
  const focus = document.activeElement?.dataset?.key;
  $(place).replaceChildren(...rows());
  if (focus) $(place).querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
}

function drawRuns() {
  const runs = [...state.runs].sort((a, b) => b.started_at.localeCompare(a.started_at));
  const active = runs.filter((run) => !ENDED.has(run.status));
  const shown = [...active, ...runs.filter((run) => ENDED.has(run.status)).slice(0, MAX_ENDED)];
  $("runs-count").textContent = runs.length ? `${active.length} active, ${runs.length - active.length} ended` : "";
  draw("runs", shown, () => shown.length
    ? shown.map((run) => {
      const ended = ENDED.has(run.status);
      const phase = run.current_phase && (run.attempt > 1 ? `${run.current_phase} (attempt ${run.attempt})` : run.current_phase);
      const resume = run.status === "paused" || run.blocked_reason;
      return row(
        run.subject_id ?? run.id, phase || run.definition,
        [badge(run.status), run.definition, duration(run), code(run.id)],
        ended ? [] : [
          resume ? action("Resume", run.id, () => act("POST", `workflows/${encodeURIComponent(run.id)}/resume`)) : null,
          action("Cancel", run.id, () => act("POST", `workflows/${encodeURIComponent(run.id)}/cancel`), { sure: true }),
        ],
        run.blocked_reason ?? run.failure_reason,
      );
    })
    : [empty("No runs yet", "Enqueue a subject: the daemon works it off by the project's workflow.")]);
}

function drawQueue() {
  const entries = state.queue.filter((entry) => WAITING.has(entry.status));
  $("queue-count").textContent = entries.length || "";
  draw("queue", entries, () => entries.length
    ? entries.map((entry) => {
      const path = `queue/${encodeURIComponent(entry.id)}`;
      const name = entry.subject_id;
      return row(
        name, entry.title ?? entry.kind ?? "",
        [
          badge(entry.status), PRIORITIES[entry.priority] ?? `priority ${entry.priority}`,
          entry.run_at && `not before ${clock(entry.run_at)}`, entry.hold_reason,
        ],
        entry.status === "in-flight" ? [] : [
          entry.status === "held"
            ? action("Release", name, () => act("POST", `${path}/release`))
            : action("Hold", name, () => act("POST", `${path}/hold`)),
          action("Drop", name, () => act("DELETE", path), { sure: true }),
        ],
      );
    })
    : [empty("The queue is empty", "Press Enqueue beside a subject, or ", code("animus queue enqueue ID"))]);
}

function drawSubjects() {
  if (state.subjects === null) return;
  const wanted = $("search").value.trim().toLowerCase();
  const text = (one) => [one.id, one.title, one.assignee, ...(one.labels ?? [])].join(" ").toLowerCase();
  const shown = state.subjects.filter((one) => !wanted || text(one).includes(wanted));
  const queued = new Set(state.queue.filter((entry) => WAITING.has(entry.status)).map((entry) => entry.subject_id));
  $("subjects-count").textContent = state.subjects.length ? `${shown.length}${state.more ? "+" : ""}` : "";
  $("more").hidden = !state.more;
  draw("subjects", [shown, [...queued], wanted], () => shown.length
    ? shown.map((one) => row(
      one.id, one.title,
      [
        badge(one.status), PRIORITIES[one.priority], one.kind === "task" ? null : one.kind, one.assignee && `@${one.assignee}`,
        ...(one.labels ?? []).map((label) => element("span", { class: "label" }, label)),
      ],
      one.status === "ready" && !queued.has(one.id)
        ? [action("Enqueue", one.id, () => act("POST", "queue", { task_id: one.id, kind: one.kind }))] : [],
    ))
    : [noSubjects(wanted)]);
}

function noSubjects(wanted) {
  if (wanted || $("status").value) return empty("Nothing fits", "Change the search or the status above.");
  return empty("No subjects yet", "With animus-subject-files, a task is a file: ", code(".animus/tasks/TASK-001.md"));
}

function notice(key, text, tone = "error") {
  if (notices.get(key) === text) return;
  text === null ? notices.delete(key) : notices.set(key, text);
  const old = [...$("notices").children].find((child) => child.dataset.key === key);
  old?.remove();
  if (text === null) return;
  const close = element("button", { type: "button", onclick: () => notice(key, null) }, "Dismiss");
  $("notices").append(element("div", { class: `notice ${tone}`, "data-key": key }, element("p", {}, text), close));
}

function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}

function spell(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function duration(run) {
  if (run.finished_at) return `took ${spell(new Date(run.finished_at) - new Date(run.started_at))}`;
  return element("span", { "data-began": run.started_at }, spell(Date.now() - new Date(run.started_at)));
}

function tick() {
  for (const shown of document.querySelectorAll("[data-began]")) {
    shown.textContent = spell(Date.now() - new Date(shown.dataset.began));
  }
}

// --- Looking ----------------------------------------------------------------------------------------------------

let looking = null;
let again = false;

async function refresh() {
  if (looking) {
    again = true;
    return;
  }
  looking = Promise.all([
    look("the daemon", "daemon/status", drawDaemon),
    look("the runs", "workflows?limit=50", (told) => { state.runs = told.runs; drawRuns(); }),
    look("the queue", "queue?limit=200", (told) => { state.queue = told.entries; drawQueue(); }),
    look("the subjects", `subjects?limit=${state.limit}${$("status").value && `&status=${$("status").value}`}`, (told) => {
      state.subjects = told.subjects;
      state.more = Boolean(told.next_cursor);
      notice("missing subjects", told.warnings?.length ? `Some subjects are missing: ${told.warnings.join("; ")}` : null, "warning");
    }),
  ]);
  await looking;
  drawSubjects();
  looking = null;
  if (again) {
    again = false;
    refreshSoon();
  }
}

async function look(what, path, take) {
  try {
    take(await ask(path));
    notice(what, null);
    if (what === "the daemon") notice("away", null);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) return; // the dialog asks for a token
    if (error.status === 0 || error.status === 503) {
      notice("away", `The daemon does not answer: ${error.message}`);
      pill("daemon away", "bad");
    } else notice(what, `Cannot see ${what}: ${error.message}`);
  }
}

function drawDaemon(told) {
  const root = told.project_root ?? "";
  $("project").textContent = root.split("/").pop();
  $("project").title = root;
  document.title = root ? `${root.split("/").pop()} · Animus` : "Animus";
  if (told.untrusted) pill("not trusted", "warn");
  else if (told.paused) pill("paused", "warn");
  else pill(told.active_runs ? `working on ${told.active_runs}` : "idle", told.active_runs ? "busy" : "good");
  notice("trust", told.untrusted ? `No work is started: ${told.untrusted}. See what it is, then: animus trust` : null, "warning");
}

function pill(text, tone) {
  $("daemon").textContent = text;
  $("daemon").className = `pill ${tone}`;
}

let soon = null;
function refreshSoon() {
  soon ??= setTimeout(() => { soon = null; refresh(); }, SETTLE_MS);
}

// --- Following --------------------------------------------------------------------------------------------------

// By fetch and not by EventSource, which can neither carry a token nor try again after a refusal.
async function follow() {
  let last = null;
  for (;;) {
    try {
      const headers = last === null ? {} : { "Last-Event-ID": last };
      const response = await fetchFrom("events", { headers });
      live(true);
      refreshSoon();
      for await (const block of blocks(response.body)) {
        const event = parse(block);
        if (event.comment.includes("daemon")) { // it went away, or is back
          const back = event.comment.includes("back");
          if (back !== $("live").classList.contains("on")) refreshSoon();
          live(back);
        }
        if (event.data) {
          last = event.id ?? last;
          show(JSON.parse(event.data));
          refreshSoon();
        }
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 400) last = null; // the daemon does not know the cursor any more
    }
    live(false);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    kept += value;
    const whole = kept.split("\n\n");
    kept = whole.pop();
    yield* whole;
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

function live(on) {
  $("live").textContent = on ? "live" : "reconnecting";
  $("live").className = `live ${on ? "on" : "off"}`;
}

let speaking = null; // the newest line, if it is an agent's output: more of it is added to the line

function show(event) {
  const payload = event.payload ?? {};
  const data = payload.data ?? {};
  const isOutput = event.kind === "agent_record" && payload.kind === "output";
  const speaker = isOutput ? `${payload.workflow_id} ${payload.phase} ${payload.attempt}` : null;
  if (isOutput && speaking?.speaker === speaker) {
    speaking.line.textContent = (speaking.line.textContent + data.text).slice(-MAX_SPOKEN);
    return;
  }
  const detail = element("p", { class: "detail" }, detailOf(payload, data));
  speaking = isOutput ? { speaker, line: detail } : null;
  const what = event.kind === "agent_record" ? payload.kind : event.kind.replaceAll("_", " ");
  const where = [payload.phase, payload.verdict, payload.result, payload.state].filter((word) => typeof word === "string").join(" · ");
  const about = payload.subject_id ?? payload.plugin ?? payload.workflow_id ?? "";
  const list = $("events");
  if (list.firstElementChild?.classList.contains("empty")) list.replaceChildren();
  list.prepend(element(
    "li", {},
    element("time", { datetime: event.occurred_at }, clock(event.occurred_at)),
    element("div", {}, element("p", {}, element("span", { class: "id" }, about), " ", element("b", {}, what), ` ${where}`), detail),
  ));
  while (list.childElementCount > MAX_EVENTS) list.lastElementChild.remove();
}

function detailOf(payload, data) {
  if (payload.reason || data.text || data.message) return payload.reason ?? data.text ?? data.message;
  if (data.name) return `${data.name} ${JSON.stringify(data.arguments ?? data.output ?? "")}`.slice(0, MAX_SPOKEN);
  return "";
}

// --- Beginning --------------------------------------------------------------------------------------------------

$("search").addEventListener("input", drawSubjects);
$("status").addEventListener("change", refresh);
$("more").addEventListener("click", () => { state.limit += PAGE; refresh(); });
$("unlock-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value);
  $("unlock").close();
  refresh();
});
$("events").append(element("li", { class: "empty" }, element("strong", {}, "Nothing has happened yet"), "What the daemon does from now on appears here."));
document.addEventListener("visibilitychange", () => document.hidden || refreshSoon());
setInterval(() => document.hidden || refresh(), REFRESH_MS);
setInterval(tick, 1000);
refresh();
follow();
