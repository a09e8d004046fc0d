// The page: draws what the daemon tells of its project, and follows the events. The API is asked in `api.js`.
import { Refused, act, ask, eventsAfter, setToken } from "./api.js";

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
const WORKING = new Set(["pending", "running"]);
const WAITING = new Set(["ready", "held", "in-flight"]);

const $ = (id) => document.getElementById(id);
const state = { daemon: null, runs: null, queue: null, subjects: null, limit: PAGE }; // as told last, null before
const notices = new Map();
const asked = new Map(); // what waits for a second press, and its timer; the button itself may be made anew meanwhile

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
  const key = `${label} ${subject}`;
  const button = element("button", { type: "button", "data-key": key });
  spellOut(button, label);
  button.addEventListener("click", async () => {
    if (sure && !asked.has(key)) {
      asked.set(key, setTimeout(settle, SURE_MS, key, label));
      spellOut(button, label);
      return;
    }
    settle(key, label);
    button.disabled = true;
    notice(key, null);
    try {
      await doing();
    } catch (error) {
      notice(key, `${key}: ${error.message}`);
    }
    button.disabled = false;
    refreshSoon();
  });
  return button;
}

function spellOut(button, label) {
  const { key } = button.dataset;
  button.textContent = asked.has(key) ? `${label}?` : label;
  button.setAttribute("aria-label", asked.has(key) ? `${key}: press again to confirm` : key);
  button.classList.toggle("danger", asked.has(key));
}

function settle(key, label) {
  clearTimeout(asked.get(key));
  asked.delete(key);
  const button = document.querySelector(`button[data-key="${CSS.escape(key)}"]`);
  if (button) spellOut(button, label);
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

function drawAll() {
  drawDaemon();
  drawRuns();
  drawQueue();
  drawSubjects();
  drawFailures();
}

function drawDaemon() {
  if (failures.has("the daemon")) return pill("daemon away", "bad");
  if (state.daemon === null) return;
  const told = state.daemon;
  const root = told.project_root ?? "";
  const name = root.split("/").pop();
  const working = (state.runs ?? []).filter((run) => WORKING.has(run.status)).length;
  $("project").textContent = name;
  $("project").title = root;
  document.title = root ? `${name} · Animus` : "Animus";
  if (told.untrusted) pill("not trusted", "warn");
  else if (told.paused) pill("paused", "warn");
  else pill(working ? `working on ${working}` : "idle", working ? "busy" : "good");
  notice("trust", told.untrusted ? `No work is started: ${told.untrusted}. See what it is, then: animus trust` : null, "warning");
}

function pill(text, tone) {
  $("daemon").textContent = text;
  $("daemon").className = `pill ${tone}`;
}

function drawRuns() {
  if (state.runs === null) return;
  const runs = [...state.runs].sort((a, b) => b.started_at.localeCompare(a.started_at));
  const active = runs.filter((run) => !ENDED.has(run.status));
  const shown = [...active, ...runs.filter((run) => ENDED.has(run.status)).slice(0, MAX_ENDED)];
  $("runs-count").textContent = active.length ? `${active.length} active` : "";
  draw("runs", shown, () => shown.length
    ? shown.map((run) => {
      const ended = ENDED.has(run.status);
      const phase = run.current_phase && (run.attempt > 1 ? `${run.current_phase} (attempt ${run.attempt})` : run.current_phase);
      const resume = run.status === "paused" || run.blocked_reason;
      return row(
        run.subject_id ?? run.id, phase || run.definition,
        [badge(run.blocked_reason ? "blocked" : run.status), run.definition, duration(run), code(run.id)],
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
  if (state.queue === null) return;
  const entries = state.queue.entries.filter((entry) => WAITING.has(entry.status));
  $("queue-count").textContent = entries.length ? `${entries.length}${state.queue.next_cursor ? "+" : ""}` : "";
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
  const { subjects, next_cursor: more, warnings } = state.subjects;
  const shown = subjects.filter((one) => !wanted || text(one).includes(wanted));
  const entries = state.queue?.entries ?? [];
  const queued = new Set(entries.filter((entry) => WAITING.has(entry.status)).map((entry) => entry.subject_id));
  $("subjects-count").textContent = subjects.length ? `${shown.length}${more ? "+" : ""}` : "";
  $("more").hidden = !more;
  notice("missing subjects", warnings?.length ? `Some subjects are missing: ${warnings.join("; ")}` : null, "warning");
  draw("subjects", [shown, [...queued], wanted, Boolean(more)], () => shown.length
    ? shown.map((one) => row(
      one.id, one.title,
      [
        badge(one.status), PRIORITIES[one.priority], one.kind === "task" ? null : one.kind, one.assignee && `@${one.assignee}`,
        ...(one.labels ?? []).map((label) => element("span", { class: "label" }, label)),
      ],
      one.status === "ready" && !queued.has(one.id)
        ? [action("Enqueue", one.id, () => act("POST", "queue", { task_id: one.id, kind: one.kind }))] : [],
    ))
    : [noSubjects(wanted, more)]);
}

function noSubjects(wanted, more) {
  if (more) return empty("Nothing fits so far", "Not all subjects were looked at: press Show more.");
  if (wanted || $("status").value) return empty("Nothing fits", "Change the search or the status above.");
  return empty("No subjects yet", "With animus-subject-files, a task is a file: ", code(".animus/tasks/TASK-001.md"));
}

// One for each key; a dismissed one stays away until there is another text or the reason has gone in between.
function notice(key, text, tone = "error") {
  if (notices.get(key) === text) return;
  text === null ? notices.delete(key) : notices.set(key, text);
  const old = [...$("notices").children].find((child) => child.dataset.key === key);
  old?.remove();
  if (text === null) return;
  const close = element("button", { type: "button", onclick: () => shown.remove() }, "Dismiss");
  const shown = element("div", { class: `notice ${tone}`, "data-key": key }, element("p", {}, text), close);
  $("notices").append(shown);
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

const LOOKS = {
  "the daemon": async () => { state.daemon = await ask("daemon/status"); },
  "the runs": async () => { state.runs = await askRuns(); },
  "the queue": async () => { state.queue = await ask("queue?limit=200"); },
  "the subjects": async () => {
    const status = $("status").value;
    state.subjects = await ask(`subjects?limit=${state.limit}${status && `&status=${status}`}`);
  },
};
const looking = new Map(); // what is being asked for, and whether to ask once more
const failures = new Map(); // what could not be seen, and why

function refresh() {
  Object.keys(LOOKS).forEach(look); // each on its own: one that has to wait holds up no other
}

async function look(what) {
  if (looking.has(what)) {
    looking.set(what, true);
    return;
  }
  looking.set(what, false);
  try {
    await LOOKS[what]();
    if (what === "the daemon" && failures.has(what)) failures.clear(); // it is back: the others failed because of it
    failures.delete(what);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status !== 401) failures.set(what, error.message); // else the dialog asks for a token
  } finally {
    const again = looking.get(what);
    looking.delete(what);
    if (again) setTimeout(look, SETTLE_MS, what);
  }
  drawAll();
}

// Runs that go on, or wait for somebody, may be older than the newest ones.
async function askRuns() {
  const filters = ["limit=200&status=paused", "limit=200&status=running", "limit=50"];
  const told = await Promise.all(filters.map((filter) => ask(`workflows?${filter}`)));
  return [...new Map(told.flatMap(({ runs }) => runs).map((run) => [run.id, run])).values()];
}

function drawFailures() {
  const away = failures.get("the daemon");
  for (const what of Object.keys(LOOKS)) {
    const failure = failures.get(what);
    const text = what === "the daemon" ? `The daemon does not answer: ${failure}` : `Cannot see ${what}: ${failure}`;
    notice(what, failure && (what === "the daemon" || !away) ? text : null);
  }
}

let soon = null;
function refreshSoon() {
  soon ??= setTimeout(() => { soon = null; refresh(); }, SETTLE_MS);
}

// --- Following --------------------------------------------------------------------------------------------------

async function follow() {
  let last = null;
  for (;;) {
    try {
      for await (const event of eventsAfter(last)) {
        live(!event.comment.includes("away")); // the daemon; the server goes on by itself when it is back
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

function live(on) {
  if (on !== $("live").classList.contains("on")) refreshSoon();
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
$("status").addEventListener("change", () => look("the subjects"));
$("more").addEventListener("click", () => { state.limit += PAGE; look("the subjects"); });
document.addEventListener("locked", ({ detail: refused }) => {
  if (refused) $("unlock-title").textContent = "This token is not the right one";
  if (!$("unlock").open) $("unlock").showModal();
});
$("unlock-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken($("token").value);
  $("unlock-form").reset();
  $("unlock").close();
  refresh();
});
$("events").append(element("li", { class: "empty" }, element("strong", {}, "Nothing has happened yet"), "What the daemon does from now on appears here."));
document.addEventListener("visibilitychange", () => document.hidden || refreshSoon());
setInterval(() => document.hidden || refresh(), REFRESH_MS);
setInterval(tick, 1000);
refresh();
follow();
