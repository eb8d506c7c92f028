// page.js: the operators' page. It asks /v1/… once a second while it is seen, and builds what it shows with textContent only,
// so that nothing a call brings can become markup.
"use strict";

const $ = (id) => document.getElementById(id);
const state = { user: null, status: null, before: null, history: [], failures: 0, timer: 0, busy: false, rows: new Map() };
const operator = () => state.user && state.user.role === "operator";

// --- asking ---

async function ask(path, method = "GET", data) {
  const options = { method, headers: { "X-Carillon": "1" }, credentials: "same-origin" };
  if (data !== undefined) {
    options.body = JSON.stringify(data);
    options.headers["Content-Type"] = "application/json";
  }
  const reply = await fetch(path, options);
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) {
    const error = new Error(body.error || "HTTP " + reply.status);
    error.status = reply.status;
    throw error;
  }
  return body;
}

function say(text) {
  $("said").textContent = text;
  $("said").classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => $("said").classList.remove("shown"), 4000);
}

async function change(path, method, data) {
  try {
    const done = await ask(path, method, data);
    say(done.text || "done");
  } catch (error) {
    say(error.message);
  }
  look();
}

// A question with perhaps fields: resolves to their values, or null.
function question(text, yes, fields = []) {
  const dialog = $("ask");
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  $("ask-fields").replaceChildren(...fields.map((f) => {
    const label = element("label", null, f.label);
    const input = element(f.choices ? "select" : "input");
    if (f.choices) input.append(...f.choices.map((c) => element("option", "", c)));
    else Object.assign(input, { type: "number", step: f.step || "1", min: f.min, value: f.value, required: true });
    input.name = f.name;
    label.append(input);
    return label;
  }));
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return resolve(null);
      resolve(Object.fromEntries([...dialog.querySelectorAll("input, select")].map((i) => [i.name, i.tagName === "SELECT" ? i.value : Number(i.value)])));
    };
  });
}

// --- building ---

function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}
function button(text, run, className, name) {
  const b = element("button", className, text);
  b.type = "button";
  b.dataset.act = text;
  if (name) b.setAttribute("aria-label", text + " " + name);
  b.onclick = run;
  return b;
}
const number = (n) => (n === null || n === undefined || Number.isNaN(n) ? "–" : n.toLocaleString("en"));
const percent = (part, whole) => (whole ? (100 * part / whole).toFixed(1) + " %" : "–");
function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.round(seconds);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor(s / 60 % 60) + " min";
}
function badge(text, as) {
  const kind = as || (/^(running|up|talking|done)$/.test(text) ? "good" : /^(failed|dead|stuck|disabled)$/.test(text) ? "bad" : "warn");
  return element("span", "badge " + kind, text);
}

// Rows that stay the same elements from look to look: focus, selection and a finger on a button survive.
function keep(list, items, key, make, fill, empty) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const id = String(key(item));
    const e = old.get(id) || make(item);
    e.dataset.key = id;
    old.delete(id);
    fill(e, item);
    return e;
  });
  for (const gone of old.values()) gone.remove();
  wanted.forEach((e, i) => { if (list.children[i] !== e) list.insertBefore(e, list.children[i] || null); });
  if (!items.length && empty) {
    const note = element("p", "empty", empty);
    note.dataset.key = "-";
    list.append(note);
  }
}
function set(e, name, text) {
  const target = e.querySelector('[data-f="' + name + '"]');
  if (target && target.textContent !== String(text)) target.textContent = text;
}

function part(name) {
  const e = element("span");
  e.dataset.f = name;
  return e;
}

function table(host, columns) {
  if (host.firstChild && host.firstChild.tagName === "DIV") return host.querySelector("tbody");
  const scroll = element("div", "scroll"), t = element("table", "fold"), head = element("tr");
  for (const c of columns) head.append(element("th", c.n ? "n" : "", c.title));
  t.append(element("thead"), element("tbody"));
  t.tHead.append(head);
  scroll.append(t);
  host.replaceChildren(scroll);
  return t.tBodies[0];
}
function tableFill(host, columns, items, key, empty) {
  const body = table(host, columns);
  keep(body, items, key, () => {
    const row = element("tr");
    for (const c of columns) {
      const cell = element("td", c.acts ? "acts" : c.n ? "n" : "");
      cell.dataset.label = c.title;
      row.append(cell);
    }
    return row;
  }, (row, item) => {
    columns.forEach((c, i) => {
      const cell = row.children[i], value = c.value(item);
      if (value instanceof Function) {
        if (!cell.dataset.made) { value(cell); cell.dataset.made = "1"; }
      } else if (value instanceof Node) {
        if (cell.textContent !== value.textContent || !cell.firstElementChild) cell.replaceChildren(value);
      } else if (cell.textContent !== String(value)) cell.textContent = value;
    });
    row.item = item;
  });
  let note = host.querySelector("p.empty");
  if (items.length) { if (note) note.remove(); }
  else if (!note) host.append(element("p", "empty", empty));
  host.firstChild.hidden = !items.length;
}

// --- what is shown ---

const total = (status, name) => status.processes.reduce((sum, p) => sum + (p[name] || 0), 0);

function showTiles(status, trunks) {
  const answered = total(status, "calls_answered"), failed = total(status, "calls_failed");
  const seconds = state.before ? (status.time_ms - state.before.time_ms) / 1000 : 0;
  const cps = seconds > 0 ? Math.max(0, total(status, "calls_started") - total(state.before, "calls_started")) / seconds : 0;
  const active = total(status, "calls_active");
  if (seconds > 0) state.history.push({ at: status.time_ms, cps, active });
  while (state.history.length && state.history[0].at < status.time_ms - 300000) state.history.shift();
  const cap = Math.min(status.cps_cap, trunks.reduce((sum, t) => sum + (t.state === "disabled" ? 0 : t.cps), 0) || status.cps_cap);
  const tiles = [
    ["Calls now", number(active), "of " + number(status.concurrent_cap)],
    ["Answered", number(answered), "ASR " + percent(answered, answered + failed)],
    ["Begun", number(total(status, "calls_started")), cps.toFixed(1) + " per second"],
    ["Refused", number(total(status, "invites_refused")), "by the permit"],
    ["Scripts", number(total(status, "scripts_active")), number(total(status, "scripts_failed")) + " failed"],
    ["Results in the spool", number(total(status, "ledger_spooled")), status.draining ? "draining" : "up " + span(status.up_s)],
  ];
  keep($("tiles"), tiles, (t) => t[0], () => {
    const e = element("div", "tile");
    for (const f of ["name", "value", "more"]) {
      const part = element(f === "value" ? "b" : "span");
      part.dataset.f = f;
      e.append(part);
    }
    return e;
  }, (e, t) => { set(e, "name", t[0]); set(e, "value", t[1]); set(e, "more", t[2]); });
  $("cps-now").textContent = cps.toFixed(1) + " (cap " + number(cap) + ")";
  $("active-now").textContent = number(active);
  chart($("cps-chart"), state.history.map((h) => [h.at, h.cps]), status.time_ms, cap);
  chart($("active-chart"), state.history.map((h) => [h.at, h.active]), status.time_ms);
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= value) || 1;
}
function svg(tag, attributes) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  return e;
}
function chart(host, points, now, cap) {
  const peak = Math.max(1, ...points.map((p) => p[1]));
  const top = nice(cap && cap <= peak * 3 ? Math.max(cap, peak) : peak);
  const x = (at) => 600 - (now - at) / 500, y = (v) => 118 - v / top * 114;
  const parts = [0.5, 1].map((f) => svg("line", { class: "grid", x1: 0, x2: 600, y1: y(top * f), y2: y(top * f) }));
  parts.push(svg("line", { class: "grid", x1: 0, x2: 600, y1: 118, y2: 118 }));
  if (points.length > 1) {
    const curve = points.map((p) => x(p[0]).toFixed(1) + "," + y(p[1]).toFixed(1)).join(" ");
    parts.push(svg("polygon", { class: "area", points: x(points[0][0]).toFixed(1) + ",118 " + curve + " 600,118" }));
    parts.push(svg("polyline", { class: "curve", points: curve }));
  }
  if (cap && cap <= top) parts.push(svg("line", { class: "cap", x1: 0, x2: 600, y1: y(cap), y2: y(cap) }));
  host.replaceChildren(...parts);
  let axis = host.nextElementSibling;
  if (!axis) {
    axis = element("div", "axis");
    axis.append(...["5 min ago", "4", "3", "2", "1", "now"].map((t) => element("span", "", t)));
    host.after(axis);
    for (const f of [1, 0.5, 0]) {
      const scale = element("span", "scale");
      scale.style.top = (118 - f * 114) / 120 * 100 + "%";
      host.parentElement.append(scale);
    }
  }
  [1, 0.5, 0].forEach((f, i) => { host.parentElement.querySelectorAll(".scale")[i].textContent = number(top * f); });
}

const campaignFacts = [
  ["dialled", "Dialled", (c) => number(c.dialled)], ["answered", "Answered", (c) => number(c.answered)], ["asr", "ASR", (c) => percent(c.answered, c.dialled)],
  ["abandoned", "Abandoned", (c) => number(c.abandoned) + " (" + percent(c.abandoned, c.answered) + ")"],
  ["in_progress", "In progress", (c) => number(c.in_progress)], ["cps", "CPS", (c) => c.cps], ["retries", "Retries", (c) => number(c.retries)],
  ["refused", "Refused", (c) => number(c.refused)], ["left", "Leads left", (c) => number(c.leads - c.done)], ["elapsed", "Elapsed", (c) => span(c.elapsed_s)], ["eta", "ETA", (c) => span(c.eta_s)],
];
function campaignMake(c) {
  const card = element("article", "card"), head = element("div", "card-head"), facts = element("dl"), acts = element("div", "acts");
  const badgeHost = element("span");
  badgeHost.className = "badge-host";
  const problem = element("p", "bad");
  problem.dataset.f = "problem";
  head.append(element("h3", "", c.name), badgeHost, acts);
  const act = (verb) => () => change("/v1/campaigns/" + encodeURIComponent(c.name) + "/" + verb, "POST", {});
  acts.append(button("Pause", act("pause"), "", c.name), button("Resume", act("resume"), "", c.name), button("Stop", async () => {
    if (await question("Stop the campaign " + c.name + "? Calls that are up go on to their end.", "Stop")) act("stop")();
  }, "danger", c.name));
  for (const [field, title] of campaignFacts) {
    const pair = element("div"), value = element("dd");
    value.dataset.f = field;
    pair.append(element("dt", "", title), value);
    facts.append(pair);
  }
  const bar = element("progress");
  bar.setAttribute("aria-label", "Leads done of " + c.name);
  card.append(head, bar, facts, problem);
  return card;
}
function campaignFill(card, c) {
  const host = card.querySelector(".badge-host");
  if (host.textContent !== c.state) host.replaceChildren(badge(c.state));
  const bar = card.querySelector("progress");
  bar.max = c.leads || 1;
  bar.value = c.done;
  for (const [field, , value] of campaignFacts) set(card, field, value(c));
  set(card, "problem", c.problem || "");
  const over = /^(done|stopped|failed)$/.test(c.state), paused = c.state === "paused";
  for (const [name, shown] of [["Pause", !paused && !over], ["Resume", paused], ["Stop", !over]])
    card.querySelector('[data-act="' + name + '"]').hidden = !operator() || !shown;
}

const trunkColumns = [
  { title: "Trunk", value: (t) => t.name }, { title: "State", value: (t) => badge(t.state) },
  { title: "Calls", n: true, value: (t) => number(t.active) + " / " + number(t.concurrent) }, { title: "CPS cap", n: true, value: (t) => number(t.cps) },
  { title: "Waiting", n: true, value: (t) => number(t.waiting) }, { title: "INVITEs", n: true, value: (t) => number(t.invites) },
  { title: "Answered", n: true, value: (t) => number(t.answered) }, { title: "ASR", n: true, value: (t) => percent(t.answered, t.answered + t.failed) },
  { title: "PDD", n: true, value: (t) => (t.pdd_ms ? (t.pdd_ms / 1000).toFixed(2) + " s" : "") }, { title: "Ping", n: true, value: (t) => (t.ping_ms ? t.ping_ms + " ms" : "") },
  { title: "", acts: true, value: (t) => (cell) => {
    if (!operator()) return;
    const now = () => cell.parentElement.item, path = "/v1/trunks/" + encodeURIComponent(t.name);
    cell.append(button("Caps…", async () => {
      const caps = await question("Caps of the trunk " + t.name, "Change", [
        { name: "cps", label: "INVITEs per second", value: now().cps, min: "0", step: "any" }, { name: "concurrent", label: "Calls at a time", value: now().concurrent, min: "0" }]);
      if (caps) change(path, "PATCH", caps);
    }, "", t.name), " ", button("On / off", async () => {
      const off = now().state !== "disabled";
      if (!off || await question("Begin no more calls on " + t.name + "?", "Disable")) change(path, "PATCH", { enabled: !off });
    }, "", t.name));
  } },
];

// Why calls ended, a figure for each trunk that had some: bars of the last five minutes, the commonest causes by name.
const CAUSES_SHOWN = 8;
function causesOf(trunk) {
  const sorted = [...trunk.causes].sort((a, b) => b.recent - a.recent || b.total - a.total), rest = sorted.splice(CAUSES_SHOWN);
  const sum = (name) => rest.reduce((n, c) => n + c[name], 0);
  return rest.length ? [...sorted, { cause: rest.length + " others", recent: sum("recent"), total: sum("total") }] : sorted;
}
function causesFill(figure, trunk) {
  const recent = trunk.causes.reduce((n, c) => n + c.recent, 0);
  set(figure, "count", number(recent) + " in five minutes, " + number(trunk.causes.reduce((n, c) => n + c.total, 0)) + " since the start");
  keep(figure.querySelector("ul"), causesOf(trunk), (c) => c.cause, () => {
    const row = element("li"), bar = element("span", "bar");
    bar.append(element("i"));
    row.append(part("name"), bar, part("recent"), part("total"));
    return row;
  }, (row, c) => {
    set(row, "name", c.cause.toLowerCase().replaceAll("_", " "));
    set(row, "recent", number(c.recent) + (recent ? " · " + percent(c.recent, recent) : ""));
    set(row, "total", number(c.total));
    row.querySelector("i").style.width = (recent ? 100 * c.recent / recent : 0) + "%";
    row.className = c.cause === "NORMAL_CLEARING" ? "fine" : "";
  });
}
function showCauses(trunks) {
  keep($("trunk-causes"), trunks.filter((t) => t.causes.length), (t) => t.name, (t) => {
    const figure = element("figure"), caption = element("figcaption", "", "Why calls ended on ");
    caption.append(element("b", "", t.name), " · ", part("count"));
    figure.append(caption, element("ul", "causes"));
    return figure;
  }, causesFill);
}

const callColumns = [
  { title: "Number", value: (c) => c.number }, { title: "Caller", value: (c) => c.caller }, { title: "Dir", value: (c) => c.direction },
  { title: "State", value: (c) => badge(c.state) }, { title: "Trunk", value: (c) => c.trunk }, { title: "For", n: true, value: (c) => span(c.seconds) },
  { title: "Worker", n: true, value: (c) => c.worker },
  { title: "", acts: true, value: (c) => (cell) => {
    cell.parentElement.title = c.uuid + "\n" + c.sip_call_id;
    cell.append(button("SIP", () => detail(c.uuid, "Call with " + c.number), "", c.number), " ");
    if (operator()) cell.append(button("Hang up", async () => {
      if (await question("Hang up the call with " + c.number + "?", "Hang up")) change("/v1/calls/" + c.uuid, "DELETE");
    }, "danger", c.number));
  } },
];

// --- one call: its SIP messages as a ladder, and its audio ---

const recentColumns = [
  { title: "Began", value: (r) => new Date(r.time_us / 1000).toLocaleTimeString() }, { title: "To", value: (r) => r.request },
  { title: "Result", value: (r) => (r.status ? badge(r.status, r.status.startsWith("2") ? "good" : "warn") : "") }, { title: "Messages", n: true, value: (r) => r.messages },
  { title: "", acts: true, value: (r) => (cell) => cell.append(button("SIP", () => detail(r.uuid, "Call to " + r.request), "", r.request)) },
];

const mediaFacts = [
  ["Codec", (m) => m.codec + (m.encrypted ? " (SRTP)" : "")], ["MOS", (m) => (m.mos ? m.mos.toFixed(2) : "–")], ["Jitter", (m) => m.jitter_ms.toFixed(1) + " ms"],
  ["Round trip", (m) => (m.round_trip_ms ? m.round_trip_ms.toFixed(1) + " ms" : "–")], ["Sent", (m) => number(m.packets_sent)], ["Received", (m) => number(m.packets_received)],
  ["Lost", (m) => percent(m.packets_lost, m.packets_received + m.packets_lost)], ["Late", (m) => number(m.packets_late)],
];

function rung(message, first) {
  const line = message.text.split("\r\n", 1)[0], response = line.startsWith("SIP/2.0 ");
  const audio = /^m=audio (\d+)/m.exec(message.text), code = response ? Number(line.slice(8, 11)) : 0;
  const row = element("li", (message.sent ? "sent" : "got") + (code >= 400 ? " wrong" : code >= 200 ? " fine" : ""));
  const fold = element("details"), head = element("summary"), arrow = element("div", "rung");
  arrow.append(element("span", "", (response ? line.slice(8) : line.replace(/ SIP\/2\.0$/, "")) + (audio ? " · SDP" : "")));
  head.append(element("span", "at", ((message.time_us - first) / 1e6).toFixed(3)), arrow);
  head.setAttribute("aria-label", (message.sent ? "sent: " : "received: ") + arrow.textContent);
  fold.append(head, element("pre", "", message.text));
  row.append(fold);
  return row;
}

async function detail(uuid, title) {
  let trace;
  try {
    trace = await ask("/v1/calls/" + encodeURIComponent(uuid) + "/trace");
  } catch (error) {
    return say(error.message);
  }
  const messages = trace.messages;
  $("detail-title").textContent = title;
  $("detail-ids").textContent = [uuid, messages.length && "Call-ID " + messages[0].sip_call_id, trace.media && trace.media.trunk && "trunk " + trace.media.trunk].filter(Boolean).join(" · ");
  $("detail-media").replaceChildren(...(trace.media ? mediaFacts.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", "", name), element("dd", "", value(trace.media)));
    return pair;
  }) : []));
  $("detail-note").textContent = messages.length ? "" : "The trace holds none of its messages any more.";
  $("detail-note").hidden = messages.length > 0;
  $("detail-far").textContent = messages.length ? messages[0].remote + " " + messages[0].transport : "";
  $("ladder").replaceChildren(...messages.map((m) => rung(m, messages[0].time_us)));
  if (!$("detail").open) $("detail").showModal();
}

const auditColumns = [
  { title: "When", value: (a) => new Date(a.time).toLocaleString() }, { title: "Who", value: (a) => a.user }, { title: "From", value: (a) => a.from },
  { title: "What", value: (a) => a.action }, { title: "Result", value: (a) => a.result },
];
async function auditLook() {
  if (!$("audit").open || !operator()) return;
  const all = await ask("/v1/audit").catch(() => []);
  tableFill($("audit-list"), auditColumns, all.slice(-100).reverse(), (a) => a.time + a.action, "Nothing was changed yet.");
}

async function recentLook() {
  if (!$("recent").open || !state.user) return;
  const search = $("call-search").value.trim().toLowerCase();
  try {
    const all = await ask("/v1/recent");
    const shown = all.filter((r) => !search || [r.uuid, r.sip_call_id, r.request, r.status].some((x) => x.toLowerCase().includes(search)));
    tableFill($("recent-list"), recentColumns, shown.slice(0, 100), (r) => r.uuid, search ? "No call matches." : "No call yet.");
  } catch (error) {
    if (error.status === 404) $("recent-list").replaceChildren(element("p", "empty", error.message));
  }
}

function workerRows(status) {
  const seconds = state.before ? (status.time_ms - state.before.time_ms) / 1000 : 0;
  return status.processes.map((p) => {
    const was = state.before && state.before.processes.find((b) => b.name === p.name && b.starts === p.starts);
    const worker = p.name.startsWith("worker");
    return { ...p, worker, load: worker && was && seconds > 0 ? (p.media_busy_us - was.media_busy_us) / seconds / 10000 : null };
  });
}
const workerColumns = [
  { title: "Process", value: (p) => p.name }, { title: "State", value: (p) => badge(p.state) }, { title: "Starts", n: true, value: (p) => p.starts },
  { title: "Beat", n: true, value: (p) => p.beat_ms + " ms" }, { title: "Legs", n: true, value: (p) => (p.worker ? number(p.media_legs) : "") },
  { title: "Scripts", n: true, value: (p) => (p.worker ? number(p.scripts_active) : "") }, { title: "Media load", n: true, value: (p) => (p.load === null ? "" : p.load.toFixed(1) + " %") },
  { title: "Latest packet", n: true, value: (p) => (p.worker ? (p.lateness_max_us / 1000).toFixed(1) + " ms" : "") },
  { title: "Late > 5 ms", n: true, value: (p) => (p.worker ? percent(p.packets_late_5ms, p.packets_sent) : "") },
];

// --- looking ---

async function look() {
  if (state.busy || !state.user) return;
  state.busy = true;
  clearTimeout(state.timer);
  try {
    const search = $("call-search").value.trim();
    const [status, campaigns, trunks, calls] = await Promise.all([
      ask("/v1/status"), ask("/v1/campaigns"), ask("/v1/trunks"), ask("/v1/calls?limit=100&search=" + encodeURIComponent(search))]);
    state.failures = 0;
    $("lost").hidden = true;
    $("engine").textContent = status.name;
    showTiles(status, trunks);
    keep($("campaign-list"), campaigns, (c) => c.name, campaignMake, campaignFill, "No campaign runs.");
    tableFill($("trunk-list"), trunkColumns, trunks, (t) => t.name, "No trunk is configured.");
    showCauses(trunks);
    tableFill($("call-list"), callColumns, calls.calls, (c) => c.uuid, search ? "No call matches." : "No calls at this moment.");
    $("call-count").textContent = calls.total > calls.calls.length ? "the first " + calls.calls.length + " of " + number(calls.total) : number(calls.total);
    tableFill($("worker-list"), workerColumns, workerRows(status), (p) => p.name, "");
    state.before = status;
    await Promise.all([recentLook(), auditLook()]);
  } catch (error) {
    if (error.status === 401) loggedOut();
    else {
      state.failures++;
      $("lost").hidden = false;
      $("lost").textContent = "No answer from the engine (" + error.message + "); trying again.";
    }
  }
  state.busy = false;
  if (state.user && !document.hidden) state.timer = setTimeout(look, Math.min(1000 * 2 ** Math.min(state.failures, 4), 10000));
}

function loggedIn(user) {
  state.user = user;
  $("who").textContent = user.user + " (" + user.role + ")";
  $("start").hidden = $("audit").hidden = !operator();
  $("me").hidden = false;
  $("login").hidden = true;
  $("live").hidden = false;
  look();
}
function loggedOut() {
  state.user = state.before = null;
  state.history = [];
  if ($("detail").open) $("detail").close();
  for (const id of ["campaign-list", "trunk-list", "trunk-causes", "call-list", "worker-list", "recent-list", "audit-list"]) $(id).replaceChildren();
  $("me").hidden = $("live").hidden = $("lost").hidden = true;
  $("login").hidden = false;
  document.querySelector("#login-form input").focus();
}

$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target, data = Object.fromEntries(new FormData(form));
  const submit = form.querySelector("button");
  $("login-error").textContent = "";
  submit.disabled = true;
  try {
    const user = await ask("/v1/login", "POST", data);
    form.reset();
    loggedIn(user);
  } catch (error) {
    $("login-error").textContent = error.status === 401 ? "The user or the password is wrong." : error.message;
    form.elements.password.value = "";
    form.elements.password.focus();
  }
  submit.disabled = false;
};
$("ask-no").onclick = () => $("ask").close("no"); // no submit button: Enter in a field must mean yes
$("start").onclick = async () => {
  const names = await ask("/v1/campaign-files").catch(() => []);
  if (!names.length) return say("There is no campaign in campaigns_dir.");
  const chosen = await question("Start a campaign; it dials the leads that were imported.", "Start", [{ name: "campaign", label: "Campaign", choices: names }]);
  if (chosen) change("/v1/campaigns/" + encodeURIComponent(chosen.campaign) + "/run", "POST", {});
};
$("logout").onclick = async () => {
  await ask("/v1/logout", "POST", {}).catch(() => {});
  loggedOut();
};
$("recent").ontoggle = recentLook;
$("audit").ontoggle = auditLook;
$("call-search").oninput = () => { clearTimeout(state.timer); state.timer = setTimeout(look, 150); };
document.onvisibilitychange = () => { if (!document.hidden) look(); };
document.onkeydown = (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || /^(INPUT|TEXTAREA)$/.test(event.target.tagName) || $("ask").open || $("detail").open || !state.user) return;
  const section = { 1: "campaigns", 2: "trunks", 3: "calls", 4: "workers" }[event.key];
  if (event.key === "/") $("call-search").focus();
  else if (section) { $(section).scrollIntoView(); $(section).focus(); }
  else return;
  event.preventDefault();
};

// Who am I? Asked in a way that is no error in the console for somebody who has not logged in.
ask("/v1/session").then((user) => (user.user ? loggedIn(user) : loggedOut())).catch(loggedOut);
