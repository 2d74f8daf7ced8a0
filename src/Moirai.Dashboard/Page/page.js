"use strict";
// Moirai's page. Everything that comes from the program is put on the page as text, never as markup.
// The server sends a frame now and then; a frame is all there is to show, so one that is missed is no loss.

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const STATES = ["running", "ready", "blocked", "created"];
const WINDOW = 40_000;                 // of the lives, in milliseconds
const HISTORY = 180;                   // frames in the small charts
const ROWS = 40;                       // of the table, before it is scrolled to its end
const MORE_ROWS = 20;                  // of it, each time that somebody comes to its end
const SLICE = 4;                       // milliseconds of drawing at a stretch
const NEW_NODES = 8;                   // of a list, at a stretch
const ROW = 19, LIVES_TOP = 18;

const state = {
  runtime: null, stream: null, paused: false, frame: null, frameAt: 0, filter: "", found: null,
  history: [], pools: new Map(), rows: ROWS, selected: null, detail: null, said: null, searching: false,
};

// ---- small helpers -------------------------------------------------------------------------------------------------

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const key in props) {
    if (key === "class") node.className = props[key];
    else if (key in node) node[key] = props[key];
    else node.setAttribute(key, props[key]);
  }
  node.append(...children.filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}

// Brings the children of a node in line with the items: nodes are kept by key, and changed only where something has changed. Of new ones it makes a few; the others come at the next stretch.
function keep(parent, items, keyOf, make, update) {
  const known = parent.kept ?? (parent.kept = new Map());
  const now = new Map();
  let at = parent.firstElementChild, room = NEW_NODES;
  for (const item of items) {
    let key = keyOf(item);
    while (now.has(key)) key += "′";
    if (!known.has(key) && --room < 0) { drawing.isUnfinished = true; continue; }
    const node = known.get(key) ?? make(item);
    now.set(key, node);
    update(node, item);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  for (const [key, node] of known) if (!now.has(key)) node.remove();
  parent.kept = now;
}

// Brings a node in line with one that was made anew: what has not changed stays the same node, and with it what is chosen in it and who stands on it.
function bring(node, anew) {
  if (node.nodeType === Node.TEXT_NODE) { if (node.data !== anew.data) node.data = anew.data; return; }
  for (const { name, value } of anew.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  for (const { name } of [...node.attributes]) if (!anew.hasAttribute(name)) node.removeAttribute(name);
  node.onclick = anew.onclick;
  let at = node.firstChild;
  for (const one of [...anew.childNodes]) {
    if (at?.nodeName !== one.nodeName) { node.insertBefore(one, at); continue; }
    bring(at, one);
    at = at.nextSibling;
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const show = (node, yes) => { if (node.hidden === yes) node.hidden = !yes; };
const num = value => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ","); // by toLocaleString each costs twenty times as much, and the first of all 25 ms
const short = value => value < 10_000 ? num(value) : value < 999_500 ? `${(value / 1e3).toFixed(value < 99_950 ? 1 : 0)}k` : `${(value / 1e6).toFixed(2)}M`;
const rate = value => value >= 100 ? short(value) : value >= 10 ? value.toFixed(0) : value > 0 ? value.toFixed(1) : "0";
const some = (count, word) => `${short(count)} ${word}${count === 1 ? "" : "s"}`;
const stateOf = word => word.toLowerCase();
const cut = (value, most) => value.length <= most ? value : `${value.slice(0, most - 1)}…`;

function span(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const s = Math.abs(seconds);
  if (s === 0) return "0";
  if (s < 0.001) return `${Math.max(1, Math.round(s * 1e6))} µs`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1).replace(".0", "")} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

const holds = (value, filter) => value !== null && value !== undefined && value.toLowerCase().includes(filter);

// The text with the part that was looked for marked. Of one without end as much as a row can bear; all of it is told where the pointer rests.
function marked(node, whole) {
  if (node.said === whole && node.sought === state.filter) return;
  [node.said, node.sought] = [whole, state.filter];
  const value = cut(whole, 100);
  if (value !== whole || node.title) node.title = value === whole ? "" : whole;
  const at = state.filter ? value.toLowerCase().indexOf(state.filter) : -1;
  if (at < 0) { node.textContent = value; return; }
  const to = at + state.filter.length;
  node.replaceChildren(value.slice(0, at), el("mark", {}, value.slice(at, to)), value.slice(to));
}

function stateBar(node, states) {
  if (node.children.length === 0) node.append(...STATES.map(one => el("i", { class: one })));
  const all = STATES.reduce((sum, one) => sum + states[one], 0);
  STATES.forEach((one, i) => {
    const width = all ? `${(100 * states[one] / all).toFixed(2)}%` : "0";
    if (node.children[i].style.width !== width) node.children[i].style.width = width;
  });
}

// ---- the stream ----------------------------------------------------------------------------------------------------

const query = () => state.runtime === null ? "" : `?runtime=${encodeURIComponent(state.runtime)}`;

function connect() {
  disconnect();
  if (state.paused || document.hidden) return;
  const stream = new EventSource(`events${query()}`);
  state.stream = stream;
  stream.addEventListener("frame", event => take(JSON.parse(event.data)));
  stream.onopen = () => connection("waiting", "connected");
  stream.onerror = () => {
    connection("off", "no connection, trying again");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (state.stream === stream) connect(); }, 2000);
  };
}

function disconnect() {
  state.stream?.close();
  state.stream = null;
}

function connection(kind, words) {
  const node = $("connection");
  if (node.className !== kind) node.className = kind;
  text(node.lastElementChild, words);
}

function take(frame) {
  state.frame = frame;
  state.frameAt = performance.now();
  connection("on", "live");
  remember(frame);
  if (state.filter) search();
  schedule();
}

function remember(frame) {
  const { census, takenAt, states, timers } = frame.snapshot;
  const at = Date.parse(takenAt) / 1000;
  const last = state.history.at(-1);
  const passed = last ? Math.max(0.001, at - last.at) : 0;
  const ended = census.completed + census.failed + census.canceled;
  state.history.push({
    at, live: states.created + states.ready + states.running + states.blocked, created: census.created, ended, ready: states.ready + states.running,
    spawned: last ? Math.max(0, census.created - last.created) / passed : 0,
    done: last ? Math.max(0, ended - last.ended) / passed : 0,
    failed: census.failed, slots: census.slotsInUse, timers: timers.depth, steps: census.steps,
    stepping: last ? Math.max(0, census.steps - last.steps) / passed : 0,
  });
  if (state.history.length === 2) { // before there are two, there is no rate
    const [first, second] = state.history;
    Object.assign(first, { spawned: second.spawned, done: second.done, stepping: second.stepping });
  }
  if (state.history.length > HISTORY) state.history.shift();
  const pools = new Map();
  for (const pool of poolsOf(frame)) {
    const before = state.pools.get(pool.key) ?? [];
    before.push({ used: pool.inUse, waiting: pool.waiting });
    if (before.length > HISTORY) before.shift();
    pools.set(pool.key, before);
  }
  state.pools = pools;
}

// ---- drawing a frame -----------------------------------------------------------------------------------------------

// Panel by panel, a few milliseconds at a stretch, and then it is the browser's turn to lay out and paint that much: so no task of the page is long, also where a machine gives it little of a processor.
const PANELS = [drawTaken, drawOverview, drawFindings, drawWaits, drawGroups, drawPools, drawTree, drawTimers, drawLocks, drawLivesNames];
const drawing = { waits: [], isAsked: false, isUnfinished: false };

// A task of its own, after the next picture: what is done in the browser's own task of making a picture lengthens that.
const afterPicture = go => requestAnimationFrame(() => setTimeout(go));

// Those that wait already keep their turn, however fast frames come.
function schedule(panels = PANELS) {
  for (const one of panels) if (!drawing.waits.includes(one)) drawing.waits.push(one);
  if (drawing.isAsked) return;
  drawing.isAsked = true;
  afterPicture(() => {
    drawing.isAsked = false;
    const began = performance.now();
    const now = drawing.waits.splice(0);
    while (now.length > 0 && state.frame && performance.now() - began < SLICE) draw(now.shift());
    if (state.frame && now.length + drawing.waits.length > 0) { drawing.waits.unshift(...now); schedule([]); }
  });
}

function draw(panel) {
  drawing.isUnfinished = false;
  panel(state.frame);
  if (drawing.isUnfinished) schedule([panel]);
}

function drawTaken({ snapshot, every }) {
  text($("taken"), `looked in ${span(snapshot.duration)}, next in ${span(every)}${snapshot.notes.length ? ` · ${snapshot.notes[0]}` : ""}`);
  $("taken").title = snapshot.notes.join("\n");
}

function drawOverview({ snapshot }) {
  const { states, census } = snapshot;
  const live = STATES.reduce((sum, one) => sum + states[one], 0);
  text($("live"), num(live));
  stateBar($("statebar"), states);
  $("statebar").setAttribute("aria-label", STATES.map(one => `${num(states[one])} ${one}`).join(", "));
  keep($("legend"), STATES.filter(one => one !== "created" || states.created), one => one,
    one => el("li", {}, el("i", { class: one }), el("b"), el("span")),
    (node, one) => { text(node.children[1], short(states[one])); text(node.children[2], one); });
  const now = state.history.at(-1);
  const tiles = [
    ["spawned", "Spawned", `${rate(now.spawned)}/s`, `${short(census.created)} ever`],
    ["done", "Ended", `${rate(now.done)}/s`, `${short(census.completed)} completed`],
    ["stepping", "Steps", `${rate(now.stepping)}/s`, `${short(census.steps)} ever`],
    ["failed", "Failed", short(census.failed), census.unobserved || census.zombies ? `${short(census.unobserved + census.zombies)} unseen` : `${short(census.canceled)} canceled`],
    ["slots", "Slots held", short(census.slotsInUse), `${some(census.waiters, "wait")} · ${some(census.openScopes, "scope")}`],
    ["timers", "Timers", short(snapshot.timers.depth), snapshot.timers.oldestOverdue ? `overdue by ${span(snapshot.timers.oldestOverdue)}` : snapshot.timers.nextIn !== undefined ? `next in ${span(snapshot.timers.nextIn)}` : "none due"],
  ];
  keep($("tiles"), tiles, tile => tile[0],
    () => el("div", { class: "card tile" }, el("span"), el("b"), el("small"), spark()),
    (node, [key, title, value, note]) => {
      text(node.children[0], title);
      text(node.children[1], value);
      text(node.children[2], note);
      node.children[2].className = key === "failed" && census.zombies ? "bad" : "";
      drawSpark(node.children[3], state.history.map(one => one[key]));
    });
}

const spark = () => svg("svg", { class: "spark", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "area" }), svg("path", { class: "line" }));

function drawSpark(node, values) {
  const least = Math.min(...values), most = Math.max(...values);
  const low = least > 0 && most - least < most * .5 ? least - (most - least || most) * .3 : 0;
  const y = value => most === low ? 29 : 29 - 26 * (value - low) / (most - low || 1);
  const line = curve(values, y);
  node.setAttribute("viewBox", `0 0 ${shownOf(values) - 1} 30`);
  node.children[0].setAttribute("d", line && `${line}V30H${shownOf(values) - values.length}Z`);
  node.children[1].setAttribute("d", line);
}

// A chart that has just begun is not drawn in its last corner.
const shownOf = values => Math.max(40, values.length);

function curve(values, y) {
  if (values.length < 2) return "";
  const from = shownOf(values) - values.length;
  return values.map((value, i) => `${i ? "L" : "M"}${from + i} ${y(value).toFixed(1)}`).join("");
}

// Pools of one name at one place of the tree are one, however many there are. The place is told by names: numbers of scopes change when others come and go, and the chart would begin anew.
function poolsOf(frame) {
  const pools = new Map(), paths = new Map();
  for (const scope of frame.snapshot.scopes) {
    const key = `${paths.get(scope.parent) ?? ""}/${scope.name}`;
    paths.set(scope.index, key);
    if (!scope.slots) continue;
    const pool = pools.get(key) ?? { key, name: scope.name, count: 0, limit: 0, inUse: 0, waiting: 0, failed: 0, created: 0 };
    pool.count++;
    pool.limit += scope.slots.limit;
    pool.inUse += scope.slots.inUse;
    pool.waiting += scope.slots.waiting;
    pool.failed += scope.failed;
    pool.created += scope.created;
    pools.set(key, pool);
  }
  return [...pools.values()];
}

function drawPools(frame) {
  const all = poolsOf(frame);
  const pools = all.filter(pool => !state.filter || holds(pool.name, state.filter)).sort((a, b) => b.waiting - a.waiting || b.inUse / b.limit - a.inUse / a.limit).slice(0, 12);
  show($("pools-card"), all.length > 0);
  text($("pools-note"), all.length > pools.length ? `${pools.length} of ${all.length}` : "");
  keep($("pools"), pools, pool => pool.key,
    () => el("li", {}, el("div", { class: "pool" }, el("span", { class: "name" }), el("span", { class: "used" }), poolChart())),
    (node, pool) => {
      const box = node.firstElementChild;
      const full = pool.inUse >= pool.limit;
      box.className = full ? "pool full" : "pool";
      marked(box.children[0], pool.count > 1 ? `${pool.name} × ${num(pool.count)}` : pool.name);
      const words = `${num(pool.inUse)} of ${num(pool.limit)}${pool.waiting ? `, ${num(pool.waiting)} wait` : full ? ", full" : ""}`;
      if (box.said !== words) {
        box.said = words;
        box.children[1].replaceChildren(`${num(pool.inUse)} `, el("span", { class: "quiet" }, `of ${short(pool.limit)} `), pool.waiting ? el("span", { class: "chip warn" }, `${num(pool.waiting)} wait`) : full ? el("span", { class: "chip warn" }, "full") : "");
      }
      drawPool(box.children[2], state.pools.get(pool.key) ?? [], pool, words);
    });
}

const poolChart = () => svg("svg", { preserveAspectRatio: "none", role: "img" },
  svg("path", { class: "wait" }), svg("path", { class: "area" }), svg("path", { class: "line" }), svg("path", { class: "limit" }));

function drawPool(node, history, pool, words) {
  const most = Math.max(1, ...history.map(one => one.used + one.waiting));
  const top = Math.max(pool.limit <= most * 12 ? pool.limit * 1.12 : 0, most * 1.05); // a limit far above is not drawn
  const y = value => 41 - 39 * value / top;
  const used = curve(history.map(one => one.used), y);
  const waiting = curve(history.map(one => one.used + one.waiting), y);
  const close = line => line && `${line}V42H${shownOf(history) - history.length}Z`;
  node.setAttribute("viewBox", `0 0 ${shownOf(history) - 1} 42`);
  node.children[0].setAttribute("d", close(waiting));
  node.children[1].setAttribute("d", close(used));
  node.children[2].setAttribute("d", used);
  node.children[3].setAttribute("d", pool.limit <= top ? `M0 ${y(pool.limit).toFixed(1)}H${shownOf(history) - 1}` : "");
  node.setAttribute("aria-label", `Pool ${pool.name}: ${words}`);
}

// The tree, with brothers of one kind and name put together.
function treeOf(scopes) {
  const at = new Map();
  const root = { inside: new Map(), depth: -1, path: "" };
  for (const scope of scopes) {
    const parent = scope.parent === undefined ? root : at.get(scope.parent) ?? root;
    const key = `${scope.kind}:${scope.name}`;
    let node = parent.inside.get(key);
    if (!node) {
      node = { name: scope.name, kind: scope.kind, count: 0, depth: parent.depth + 1, path: `${parent.path}/${key}`, inside: new Map(), states: { created: 0, ready: 0, running: 0, blocked: 0 }, live: 0, failed: 0, off: true, slots: null };
      parent.inside.set(key, node);
    }
    at.set(scope.index, node);
    node.count++;
    node.failed += scope.failed;
    node.off &&= scope.cancelCause !== undefined;
    node.cause = scope.cancelCause;
    for (const one of STATES) { node.states[one] += scope.states[one]; node.live += scope.states[one]; }
    if (scope.slots) node.slots = { limit: (node.slots?.limit ?? 0) + scope.slots.limit, inUse: (node.slots?.inUse ?? 0) + scope.slots.inUse };
  }
  return root;
}

function drawTree({ snapshot }) {
  const rows = [];
  const walk = node => {
    let any = false;
    for (const child of node.inside.values()) {
      const place = rows.length;
      rows.push(child);
      const inside = walk(child);
      if (state.filter && !inside && !holds(child.name, state.filter)) rows.length = place; else any = true;
    }
    return any;
  };
  walk(treeOf(snapshot.scopes));
  const more = snapshot.scopesNotListed;
  text($("tree-note"), more ? `and ${num(more)} more, counted in the sums` : "");
  keep($("tree"), rows, row => row.path,
    () => el("li", {}, el("span", { class: "name" }, el("span", { class: "kind" }), el("span")), el("span", { class: "bar" }), el("span", { class: "n" })),
    (node, row) => {
      const [name, bar, count] = node.children;
      name.style.paddingLeft = `${Math.min(row.depth, 12) * 15}px`;
      name.className = row.off ? "name off" : "name";
      node.title = [row.cause, row.failed ? `${num(row.failed)} failed` : ""].filter(Boolean).join("\n");
      text(name.children[0], row.kind.toLowerCase());
      marked(name.children[1], row.count > 1 ? `${row.name} × ${num(row.count)}` : row.name);
      stateBar(bar, row.states);
      bar.style.visibility = row.live ? "visible" : "hidden";
      text(count, short(row.live));
      count.className = row.live ? "n" : "n zero";
    });
}

function drawTimers({ snapshot }) {
  const { timers } = snapshot;
  const facts = [
    ["depth", "entries", num(timers.depth)], ["next", "next due in", timers.nextIn === undefined ? "–" : span(timers.nextIn)], ["over", "overdue", span(timers.oldestOverdue), timers.oldestOverdue > 1],
    ["fired", "fired", short(timers.fired)], ["mean", "late, mean", span(timers.meanLag)], ["max", "late, most", span(timers.maxLag), timers.maxLag > 1],
  ];
  keep($("timers"), facts, fact => fact[0], () => el("div", {}, el("dt"), el("dd")), (node, [, title, value, bad]) => {
    text(node.children[0], title);
    text(node.children[1], value);
    node.className = bad ? "bad" : "";
  });
  const due = snapshot.groups.filter(group => group.wait?.dueIn !== undefined && (!state.filter || matches(group))).sort((a, b) => a.wait.dueIn - b.wait.dueIn).slice(0, 6);
  show($("due"), due.length > 0);
  keep($("due"), due, group => `${group.name}/${group.awaitSite}/${group.wait.what}`, () => el("li", {}, el("span", { class: "grow" }), el("span", { class: "quiet" })), (node, group) => {
    text(node.children[0], `${group.count > 1 ? `${short(group.count)} × ` : ""}${group.name ?? "various"}`);
    node.children[0].title = `${group.awaitSite ?? ""} ${group.wait.what}`;
    text(node.children[1], group.wait.dueIn < 0 ? `${span(group.wait.dueIn)} overdue` : `in ${span(group.wait.dueIn)}`);
  });
}

function drawLocks({ snapshot }) {
  const all = snapshot.primitives.filter(one => (one.waiting > 0 || one.owner) && (!state.filter || holds(one.description, state.filter)));
  const some = all.slice(0, 10);
  show($("locks-card"), snapshot.primitives.length > 0);
  text($("locks-note"), all.length + snapshot.primitivesNotListed > some.length ? `${some.length} of ${num(all.length + snapshot.primitivesNotListed)}` : "");
  keep($("locks"), some, one => `${one.kind}/${one.name}`, () => el("li", {}, el("span", { class: "grow" }), el("span", { class: "chip" })), (node, one) => {
    marked(node.children[0], `${one.kind} '${one.name}'${one.owner ? `, held by #${one.owner} '${one.ownerName}'` : ""}`);
    node.children[0].title = one.description;
    text(node.children[1], `${num(one.waiting)} wait${one.longestWait ? `, ${span(one.longestWait)}` : ""}`);
    show(node.children[1], one.waiting > 0);
  });
}

// ---- findings ------------------------------------------------------------------------------------------------------

const ALARMS = { BlockedTooLong: "Blocked too long", WorkerHeld: "Keeps its thread", Starved: "No thread", TimersLate: "Timers late", CancelIgnored: "Cancellation ignored", PoolFull: "Pool full" };

// Of these the name is not that of the tasks which the alarm counts.
const CROWDS = { Starved: "tasks are ready", TimersLate: "entries wait", PoolFull: "wait for a slot" };

const words = kind => kind.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

function ringOf(cycle) {
  return [...cycle.map(edge => `#${edge.task} '${cut(edge.taskName, 40)}' → ${cut(edge.waitsFor, 40)}`), `#${cycle[0].task}`].join(" → ");
}

function drawFindings(frame) {
  const standing = frame.deadlocks.filter(one => one.stands);
  const banner = $("banner");
  const cry = standing.map(one => one.cycle.map(edge => edge.taskName).join(" → ")).join("; ");
  if (banner.said !== cry) {
    banner.said = cry;
    banner.replaceChildren(...standing.length === 0 ? [] : [
      el("p", {}, standing.length === 1 ? `Deadlock: ${standing[0].cycle.length} tasks wait for each other, and will for ever.` : `${standing.length} deadlocks: tasks wait for each other, and will for ever.`),
      ...standing.slice(0, 3).map(one => el("p", {}, ringOf(one.cycle)))]);
  }
  show(banner, standing.length > 0);

  const now = Date.parse(frame.snapshot.takenAt);
  const over = [
    ...frame.deadlocks.filter(one => !one.stands).map(one => ({ key: `d${one.at}`, kind: "bad", title: "Deadlock, over", name: ringOf(one.cycle), at: one.at, more: "one of the waits has thrown, or one of the tasks was canceled, and the others went on" })),
    ...frame.leaks.map(one => ({ key: `l${one.at}${one.task}`, kind: "bad", title: "Leak", name: one.taskName ?? "", at: one.at, task: one.task, more: one.message })),
    ...frame.events.map(one => ({ key: `e${one.at}${one.task}`, kind: "", title: one.kind === "AlarmCleared" ? "Alarm, over" : words(one.kind), name: one.taskName ?? "", at: one.at, task: one.task, more: one.message.replace(/^alarm \d+ is over: /, "") })),
  ].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)); // what is there comes first, then what was, the newest first
  const items = [
    ...standing.map(one => ({ key: `d${one.at}`, kind: "bad", title: "Deadlock, standing", name: ringOf(one.cycle), at: one.at, task: one.cycle[0].task, more: one.cycle.map(edge => `${edge.taskName} waits in ${edge.waitSite}`).join(" · ") })),
    ...frame.alarms.map(one => ({ key: `a${one.id}`, kind: "warn", title: ALARMS[one.kind] ?? one.kind, name: `${one.count > 1 && !CROWDS[one.kind] ? `${num(one.count)} × ` : ""}${one.name}`, at: one.raisedAt, task: one.task, more: [`for ${span(one.lasted)}`, CROWDS[one.kind] && one.count > 0 && `${num(one.count)} ${CROWDS[one.kind]}`, one.awaitSite && `at ${one.awaitSite}`, one.detail].filter(Boolean).join("; ") })),
    ...over,
  ].filter(one => !state.filter || holds(one.name, state.filter) || holds(one.more, state.filter));
  const calm = frame.alarms.length === 0 && frame.deadlocks.length === 0 && frame.leaks.length === 0 && !frame.events.some(one => one.kind === "AlarmCleared");
  show($("clear"), calm);
  text($("clear"), "✓ No alarm, no deadlock, no leak was found.");
  keep($("findings"), items, item => item.key,
    item => el("li", { class: item.kind }, el("div", { class: "top" }, el("b"), el("button", { type: "button", class: "link" }), el("time")), el("p")),
    (node, item) => {
      const [title, name, time] = node.firstElementChild.children;
      text(title, item.title);
      marked(name, item.name || (item.task ? `#${item.task}` : ""));
      name.disabled = !item.task;
      name.onclick = () => open(item.task);
      time.dateTime = item.at;
      text(time, `${span(Math.max(1, Math.round((now - Date.parse(item.at)) / 1000)))} ago`);
      text(node.lastElementChild, cut(item.more, 420));
    });
  show($("findings"), items.length > 0);
  show($("said"), state.said !== null);
  text($("said"), state.said ?? "");
  if (frame.allowsCommands && $("commands").children.length === 0) {
    $("commands").append(
      el("button", { type: "button", id: "report", onclick: () => findLeaks("report"), title: "A full collection of the process; nothing is resumed" }, "Find leaks"),
      el("button", { type: "button", id: "heal", onclick: () => findLeaks("heal"), title: "Leaked tasks are resumed with an exception, so that their clean-up runs" }, "Find and heal"));
  }
  show($("commands"), frame.allowsCommands);
}

async function command(path) {
  const answer = await fetch(path, { method: "POST", headers: { "X-Moirai-Command": "1" } });
  const body = await answer.json().catch(() => ({}));
  return body.message !== undefined ? body : { message: body.title ?? `The server answered ${answer.status}.` };
}

async function findLeaks(policy) {
  state.said = "Looking for leaks…";
  schedule();
  const answer = await command(`leaks${query() ? `${query()}&` : "?"}policy=${policy}`).catch(error => ({ message: String(error) }));
  const found = answer.report?.leaks ?? [];
  state.said = [answer.message, ...found.slice(0, 5).map(leak => `#${leak.id} '${leak.name}' waits for ${leak.waitsFor}, spawned at ${leak.spawnSite}`), found.length > 5 ? `… and ${found.length - 5} more` : ""].filter(Boolean).join("\n");
  schedule();
}

// ---- who waits for whom --------------------------------------------------------------------------------------------

const NODE_W = 164, NODE_H = 38, COLUMN = 320, LINE = 50;

// Each node waits for at most one: so there are trees, whose root is a thing, a task that waits for nobody, or a ring.
function layOut({ nodes, edges }) {
  const next = new Map(edges.map(edge => [edge.from, edge]));
  const byId = new Map(nodes.map(node => [node.id, node]));
  const waiters = new Map();
  for (const edge of edges) if (!(edge.inRing)) waiters.set(edge.to, [...waiters.get(edge.to) ?? [], edge.from]);
  const place = new Map();
  const done = new Set();
  let y = 0;

  const tree = (id, depth) => {
    done.add(id);
    const inside = (waiters.get(id) ?? []).filter(one => !done.has(one));
    if (inside.length === 0) { place.set(id, { depth, y }); y += LINE; return; }
    const from = y;
    inside.forEach(one => tree(one, depth + 1));
    place.set(id, { depth, y: Math.max(from, (place.get(inside[0]).y + place.get(inside.at(-1)).y) / 2) });
  };

  const rings = [];
  for (const node of nodes) {
    if (!node.inRing || done.has(node.id)) continue;
    const ring = [];
    for (let at = node.id; at && !ring.includes(at); at = next.get(at)?.to) ring.push(at);
    ring.forEach(one => done.add(one));
    const crowd = ring.map(one => (waiters.get(one) ?? []).length);
    ring.unshift(...ring.splice(crowd.indexOf(Math.max(...crowd)))); // the one with most waiters is at their side
    const from = y;
    for (const one of ring) for (const waiter of waiters.get(one) ?? []) if (!done.has(waiter)) tree(waiter, 1);
    const radius = ring.length === 1 ? 0 : Math.max(ring.length === 2 ? 58 : 82, ring.length * 31);
    const height = Math.max(y - from, radius * 2 + NODE_H + 24);
    const middle = from + height / 2 - NODE_H / 2;
    ring.forEach((one, i) => {
      const angle = ring.length === 2 ? Math.PI * (i - .5) : 2 * Math.PI * i / ring.length - Math.PI;
      place.set(one, { depth: 0, y: middle + radius * Math.sin(angle), dx: 150 + radius * 1.5 * Math.cos(angle), ring });
    });
    rings.push(ring);
    y = from + height + 8;
  }
  for (const node of nodes) if (!done.has(node.id) && !byId.has(next.get(node.id)?.to)) tree(node.id, 0);
  for (const node of nodes) if (!done.has(node.id)) tree(node.id, 0);
  const deepest = Math.max(0, ...[...place.values()].map(at => at.depth));
  for (const at of place.values()) at.x = (deepest - at.depth) * COLUMN + (at.dx ?? 0);
  const least = Math.min(...[...place.values()].map(at => at.x));
  for (const at of place.values()) at.x -= least;
  return { place, height: Math.max(LINE, ...[...place.values()].map(at => at.y + NODE_H + 14)), width: Math.max(...[...place.values()].map(at => at.x + (at.ring ? 110 : 0))) + NODE_W + 6 }; // beside a ring stand its words
}

function drawWaits({ waits }) {
  const nodes = state.filter ? filteredWaits(waits) : waits;
  show($("waits-card"), waits.nodes.length > 0);
  $("waits-card").classList.toggle("first", waits.edges.some(edge => edge.inRing));
  text($("waits-note"), waits.notListed ? `and ${num(waits.notListed)} more` : "");
  const key = JSON.stringify(nodes);
  const box = $("waits");
  if (box.said === key) return;
  box.said = key;
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.node : undefined;
  box.replaceChildren();
  if (nodes.nodes.length === 0) return;
  const { place, height, width } = layOut(nodes);
  const picture = svg("svg", { viewBox: `-4 -8 ${width + 8} ${height + 8}`, width: width + 8, height: height + 8, role: "group", "aria-label": "Who waits for whom" });
  const things = new Set(nodes.nodes.filter(node => node.count === 0).map(node => node.id));
  const lines = svg("g", {}), labels = svg("g", {}), boxes = svg("g", {});
  for (const edge of nodes.edges) {
    const [a, b] = [place.get(edge.from), place.get(edge.to)];
    const ring = edge.inRing ? " ring" : "";
    const path = edgePath(a, b, edge);
    lines.append(svg("path", { class: `edge${ring}`, d: path.d }), svg("path", { class: `tip${ring}`, d: "M0 0L-9 -4.5L-9 4.5Z", transform: `translate(${path.x} ${path.y}) rotate(${path.turn})` }));
    if (things.has(edge.to)) continue; // which says it itself
    const label = svg("text", { class: `what${ring}`, x: path.lx, y: path.ly, "text-anchor": path.anchor });
    label.textContent = edge.inRing ? cut(edge.what, 26) : fit(cut(edge.what, 26), COLUMN - NODE_W - 20, 11);
    label.append(svg("title", {}));
    label.lastChild.textContent = edge.what;
    labels.append(label);
  }
  for (const node of nodes.nodes) {
    const at = place.get(node.id);
    const isThing = node.count === 0;
    const group = svg("g", { class: `node${node.inRing ? " ring" : ""}${isThing ? " thing" : " task"}`, transform: `translate(${at.x} ${at.y})` });
    const name = svg("text", { x: 11, y: isThing ? 23 : 16 });
    name.textContent = fit(cut(node.label, 22), NODE_W - 20, 12);
    const sub = svg("text", { class: "sub", x: 11, y: 30 });
    sub.textContent = isThing ? "" : fit(node.count > 1 ? `× ${num(node.count)} wait alike` : `#${node.task}`, NODE_W - 20, 11);
    const title = svg("title", {});
    title.textContent = node.label;
    group.append(svg("rect", { width: NODE_W, height: NODE_H, rx: 8 }), name, sub, title);
    if (!isThing) {
      group.dataset.node = node.id;
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", `${node.label}, ${sub.textContent}${node.inRing ? ", in a ring" : ""}`);
      group.addEventListener("click", () => open(node.task));
      group.addEventListener("keydown", event => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault(); // the space bar would scroll
        open(node.task);
      });
    }
    boxes.append(group);
  }
  picture.append(lines, boxes, labels);
  Object.assign(picture.style, { width: "100%", maxWidth: `${width + 8}px`, minWidth: `${Math.round(.5 * width)}px`, height: "auto" }); // it shrinks a little before it is scrolled
  box.append(picture);
  if (focused !== undefined) [...box.querySelectorAll(".node")].find(one => one.dataset.node === focused)?.focus({ preventScroll: true });
}

// Letters differ in width, and a picture cuts no text by itself. Measured beside the page: to measure in it would lay all of it out, once for each text.
let ruler = null, family = "";

function fit(value, most, size) {
  if (!ruler) {
    ruler = document.createElement("canvas").getContext("2d");
    family = getComputedStyle(document.body).fontFamily;
  }
  ruler.font = `${size}px ${family}`;
  for (let width = ruler.measureText(value).width; width > most - 2 && value.length > 2; width = ruler.measureText(value).width)
    value = cut(value, Math.max(2, Math.min(value.length - 1, Math.floor(value.length * most / width))));
  return value;
}

// Those that are looked for, with all they wait for.
function filteredWaits(waits) {
  const next = new Map(waits.edges.map(edge => [edge.from, edge.to]));
  const kept = new Set();
  for (const node of waits.nodes) {
    const what = waits.edges.find(edge => edge.from === node.id)?.what;
    if (!holds(node.label, state.filter) && !holds(what, state.filter)) continue;
    for (let at = node.id; at && !kept.has(at); at = next.get(at)) kept.add(at);
  }
  return { nodes: waits.nodes.filter(node => kept.has(node.id)), edges: waits.edges.filter(edge => kept.has(edge.from) && kept.has(edge.to)) };
}

function edgePath(a, b, edge) {
  if (edge.from === edge.to) { // waits for itself
    const [x, y] = [a.x + NODE_W, a.y + NODE_H / 2];
    return { d: `M${x} ${y - 8}C${x + 60} ${y - 30} ${x + 60} ${y + 30} ${x + 8} ${y + 8}`, x: x + 1, y: y + 6, turn: 200, lx: x + 54, ly: y + 4, anchor: "start" };
  }
  if (edge.inRing) return ringPath(a, b);
  const [x1, y1, x2, y2] = [a.x + NODE_W, a.y + NODE_H / 2, b.x, b.y + NODE_H / 2];
  const pull = Math.max(30, (x2 - x1) / 2);
  const end = x2 - 8;
  return { d: `M${x1} ${y1}C${x1 + pull} ${y1} ${end - pull} ${y2} ${end} ${y2}`, x: x2 - 1, y: y2, turn: 0, lx: x1 + 9, ly: y1 - 6, anchor: "start" };
}

// From edge to edge of the boxes, bent outwards, so that the two ways between two boxes lie apart.
function ringPath(a, b) {
  const from = { x: a.x + NODE_W / 2, y: a.y + NODE_H / 2 }, to = { x: b.x + NODE_W / 2, y: b.y + NODE_H / 2 };
  const two = a.ring.length === 2;
  const dx = to.x - from.x, dy = to.y - from.y, length = Math.hypot(dx, dy) || 1;
  const bend = two ? 62 : 26;
  const control = { x: (from.x + to.x) / 2 + dy / length * bend, y: (from.y + to.y) / 2 - dx / length * bend };
  const start = leaves(from, control, 1), end = leaves(to, control, 9);
  const turn = Math.atan2(end.edge.y - control.y, end.edge.x - control.x) * 180 / Math.PI;
  const middle = { x: (start.far.x + 2 * control.x + end.far.x) / 4, y: (start.far.y + 2 * control.y + end.far.y) / 4 };
  const right = dy > 0 === two ? dy > 0 : control.x >= (from.x + to.x) / 2;
  return { d: `M${start.edge.x} ${start.edge.y}Q${control.x} ${control.y} ${end.far.x} ${end.far.y}`, x: end.edge.x, y: end.edge.y, turn, lx: middle.x + (right ? 9 : -9), ly: middle.y + 4, anchor: right ? "start" : "end" };
}

// Where the straight line from the middle of a box leaves it.
function leaves(middle, towards, gap) {
  const dx = towards.x - middle.x, dy = towards.y - middle.y, length = Math.hypot(dx, dy) || 1;
  const scale = Math.min(NODE_W / 2 / Math.abs(dx || 1e-9), NODE_H / 2 / Math.abs(dy || 1e-9));
  const edge = { x: middle.x + dx * scale + dx / length * 2, y: middle.y + dy * scale + dy / length * 2 };
  return { edge, far: { x: edge.x + dx / length * gap, y: edge.y + dy / length * gap } };
}

// ---- what the tasks do ---------------------------------------------------------------------------------------------

const matches = group => holds(group.name, state.filter) || holds(group.awaitSite, state.filter) || holds(group.wait?.what, state.filter) || holds(group.wait?.holderName, state.filter);
const keyOf = group => `${group.name}|${group.state}|${group.awaitSite}|${group.wait?.what}`;

function drawGroups(frame) {
  const { snapshot } = frame;
  const hidden = snapshot.groupsNotListed > 0;
  const groups = !state.filter ? snapshot.groups : hidden && state.found ? state.found.groups : snapshot.groups.filter(matches);
  const more = !state.filter ? snapshot.groupsNotListed : hidden && state.found ? state.found.notListed : 0;
  const told = groups.reduce((sum, group) => sum + group.count, 0);
  text($("groups-note"), `${num(told)} tasks by name and place${more ? `, and ${num(more)} smaller groups` : ""}`);
  show($("none"), groups.length === 0);
  text($("none"), state.filter ? `Nothing is called “${state.filter}”.` : "No task lives.");
  const most = Math.max(1, ...groups.map(group => group.count));
  keep($("rows"), groups.slice(0, state.rows), keyOf, // whoever comes to the end of them gets more
    () => {
      const row = el("tr", { tabIndex: -1, onclick: () => { select(row); open(row.group.oldest, row.group); } },
        el("td", { class: "n count" }, el("i"), el("span")), el("td", { class: "name" }), el("td", {}, el("span", { class: "state" }, el("i"), el("span"))),
        el("td", { class: "at mono" }), el("td", { class: "what" }), el("td", { class: "n last" }));
      return row;
    },
    (row, group) => {
      row.group = group;
      const [count, name, how, at, what, longest] = row.children;
      count.firstChild.style.width = group.count > 1 ? `${(100 * Math.sqrt(group.count / most)).toFixed(1)}%` : "0";
      text(count.lastChild, num(group.count));
      marked(name, group.name ?? "various names");
      how.firstChild.firstChild.className = stateOf(group.state);
      text(how.firstChild.lastChild, stateOf(group.state));
      marked(at, group.awaitSite ?? "");
      marked(what, group.wait ? `${group.wait.what}${group.wait.holder ? ` held by #${group.wait.holder} '${group.wait.holderName}'` : ""}` : "");
      text(longest, group.waited === undefined ? "" : group.waited < 1 ? "< 1 s" : span(group.waited));
      const chosen = state.selected === keyOf(group) ? "true" : "false";
      if (row.getAttribute("aria-selected") !== chosen) row.setAttribute("aria-selected", chosen);
    });
}

async function search() {
  if (!state.filter || !state.frame || state.frame.snapshot.groupsNotListed === 0 || state.searching) { if (!state.filter) state.found = null; return; }
  state.searching = true;
  const sought = state.filter;
  try {
    const answer = await fetch(`groups${query() ? `${query()}&` : "?"}filter=${encodeURIComponent(sought)}`);
    if (answer.ok) state.found = await answer.json();
  } catch {
    state.found = null; // the stream says that there is no connection
  }
  state.searching = false;
  if (state.filter !== sought) search();
  schedule();
}

function select(row) {
  state.selected = row ? keyOf(row.group) : null;
  for (const one of $("rows").children) {
    const chosen = one === row ? "true" : "false";
    if (one.getAttribute("aria-selected") !== chosen) one.setAttribute("aria-selected", chosen);
  }
}

const table = $("rows").closest(".scroll");

function moreRows() {
  if (!state.frame || $("rows").children.length < state.rows) return; // there are no more, or they are coming; after a change of runtime none is there yet
  state.rows += MORE_ROWS;
  schedule([drawGroups]);
}

function step(by) {
  let rows = [...$("rows").children];
  if (rows.length === 0) return;
  const at = rows.findIndex(row => row.getAttribute("aria-selected") === "true");
  if (by > 0 && at === rows.length - 1 && state.frame) {
    moreRows();
    draw(drawGroups); // the next step goes to one of them
    rows = [...$("rows").children];
  }
  const row = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
  select(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (state.detail) open(row.group.oldest, row.group);
}

// ---- lives ---------------------------------------------------------------------------------------------------------

function livesOf(frame) {
  return frame.lives.filter(life => !state.filter || holds(life.name, state.filter) || holds(life.spawnSite, state.filter));
}

function drawLivesNames(frame) {
  const lives = livesOf(frame);
  keep($("lives-names"), lives, life => String(life.id),
    life => el("li", {}, el("button", { type: "button", onclick: () => open(life.id) })),
    (node, life) => {
      const button = node.firstChild;
      marked(button, life.name);
      button.title = `#${life.id} '${life.name}', spawned at ${life.spawnSite}`;
      button.className = life.endedAgo === undefined ? "" : "over";
    });
  show($("lives-card"), frame.lives.length > 0);
}

const SPAN = /([a-z])(\d+)/g;
const spansOf = life => life.parts ??= [...life.spans.matchAll(SPAN)].map(([, what, length]) => [what, Number(length)]); // read once, drawn many times
let colours = null, pen = null, livesWidth = 0, isInView = false, livesTimer = 0;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = Object.fromEntries(["running", "ran", "ready", "blocked", "created", "line", "ink", "soft", "faint", "bad", "good", "card"].map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Moves with the clock, not with the frames, by a point at a time; where nobody sees it, only as often as frames come.
function moveLives() {
  if (state.frame && livesWidth > 0 && !document.hidden) drawLives(performance.now());
  livesTimer = setTimeout(moveLives, isInView && livesWidth > 0 ? Math.max(40, WINDOW / livesWidth) : 500);
}

function drawLives(now) {
  const canvas = $("lives-picture");
  const lives = livesOf(state.frame);
  const width = livesWidth, height = LIVES_TOP + lives.length * ROW;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.style.height = `${height}px`;
  }
  if (!colours) readColours();
  pen ??= canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const later = state.paused || !state.stream ? 0 : Math.min(now - state.frameAt, 15_000);
  const inner = width - 12;
  const x = ago => inner - inner * (ago + later) / WINDOW;
  pen.font = "11px system-ui, sans-serif";
  for (let ago = 0; ago <= WINDOW; ago += inner < 320 ? 20_000 : 10_000) {
    const at = inner - inner * ago / WINDOW;
    pen.fillStyle = colours.line;
    pen.fillRect(Math.round(at), LIVES_TOP - 3, 1, height);
    pen.fillStyle = colours.faint;
    pen.textAlign = ago === 0 ? "right" : ago === WINDOW ? "left" : "center";
    pen.fillText(ago === 0 ? "now" : `−${ago / 1000} s`, ago === 0 ? width - 2 : at, 10);
  }
  lives.forEach((life, i) => drawLife(life, LIVES_TOP + i * ROW + ROW / 2, x, inner, later));
}

function drawLife(life, y, x, inner, later) {
  let ago = life.from;
  const spans = spansOf(life);
  spans.forEach(([what, length], i) => {
    const until = i === spans.length - 1 && life.endedAgo === undefined ? -later : ago - length;
    const from = Math.max(0, x(ago)), to = Math.min(inner, x(until));
    ago -= length;
    if (to <= 0 || to < from) return;
    const wide = Math.max(1.2, to - from);
    const [colour, tall] = what === "x" ? [colours.running, 12] : what === "t" ? [colours.ran, 10] : what === "r" ? [colours.ready, 12] : what === "b" ? [colours.blocked, 4] : what === "c" ? [colours.created, 8] : [colours.line, 2];
    pen.fillStyle = colour;
    pen.fillRect(from, y - tall / 2, wide, tall);
  });
  if (life.bornAgo !== undefined && x(life.bornAgo) >= 0) {
    pen.fillStyle = colours.ink;
    pen.fillRect(x(life.bornAgo) - 1, y - 7, 2, 14);
  }
  if (life.endedAgo === undefined) return;
  const at = x(life.endedAgo);
  if (at < 0) return;
  pen.beginPath();
  pen.arc(at, y, 4, 0, 2 * Math.PI);
  const how = life.outcome;
  pen.fillStyle = how === "Failed" ? colours.bad : how === "Completed" ? colours.good : colours.card;
  pen.fill();
  if (how !== "Failed" && how !== "Completed") {
    pen.strokeStyle = colours.faint;
    pen.lineWidth = 2;
    pen.stroke();
  }
}

// ---- one task ------------------------------------------------------------------------------------------------------

function open(id, group) {
  if (!id) return;
  if (!state.detail) state.opener = document.activeElement;
  const isNew = state.detail?.id !== id;
  state.detail = { id, group, sure: false, answer: isNew ? null : state.detail.answer };
  if (isNew) drawDetail();
  show($("detail"), true);
  document.body.classList.add("aside");
  refresh();
}

function close() {
  state.detail = null;
  show($("detail"), false);
  document.body.classList.remove("aside");
  state.opener?.focus?.({ preventScroll: true });
}

async function refresh() {
  const asked = state.detail;
  clearTimeout(state.refreshing);
  if (!asked) return;
  try {
    const answer = await fetch(`tasks/${asked.id}${query()}`);
    if (answer.ok) asked.answer = await answer.json();
    else asked.ended = true;
  } catch {
    // the stream says that there is no connection
  }
  if (state.detail !== asked) return; // it was closed meanwhile, or another is shown
  drawDetail();
  if (!asked.ended && !state.paused) state.refreshing = setTimeout(refresh, 1000);
}

function facts(pairs) {
  return el("dl", { class: "facts" }, ...pairs.filter(pair => pair[1] !== undefined && pair[1] !== "").map(([title, value]) => el("div", {}, el("dt", {}, title), el("dd", {}, value))));
}

function drawDetail() {
  const shown = state.detail;
  const { answer, ended, group } = shown;
  const task = answer?.task;
  const key = JSON.stringify([shown.id, answer, ended, shown.sure, shown.said]);
  const pane = $("detail");
  if (pane.said === key) return;
  pane.said = key;
  bring(pane, el("aside", { "aria-label": "Task", id: "detail", tabIndex: -1, hidden: pane.hidden },
    el("button", { type: "button", class: "close", "aria-label": "Close (Esc)", title: "Close (Esc)", onclick: close }, "✕"),
    el("h2", {}, task ? `#${task.id} ${cut(task.name, 200)}` : `#${shown.id}`),
    ...(!task ? [el("p", { class: "quiet" }, ended ? "It has ended." : "Looking for it…")] : detailOf(task, answer, ended, group)),
    ...(task && !ended && state.frame?.allowsCommands ? [el("h3", {}, "Command"), el("button", {
      type: "button", id: "cancel", class: `danger${shown.sure ? " sure" : ""}`,
      onclick: async () => {
        if (!shown.sure) { shown.sure = true; drawDetail(); return; }
        shown.sure = false;
        shown.said = (await command(`tasks/${shown.id}/cancel${query()}`).catch(error => ({ message: String(error) }))).message;
        if (state.detail === shown) refresh();
      },
    }, shown.sure ? "Really cancel it?" : "Cancel this task")] : []),
    ...(shown.said ? [el("p", { class: "said", role: "status" }, shown.said)] : [])));
}

function detailOf(task, answer, ended, group) {
  const chain = task.chain.length ? task.chain : [];
  const waited = Math.min(task.waited, task.age ?? Infinity); // the one is told in seconds, the other exactly: none waits longer than it lives
  const parts = [
    el("p", { class: "quiet" }, el("span", { class: "state" }, el("i", { class: ended ? "created" : stateOf(task.state) }), ended ? "has ended; this is how it was last seen" : stateOf(task.state)), group && group.count > 1 ? `, the one of ${num(group.count)} alike that has waited longest` : ""),
    facts([
      ["waits for", task.wait ? cut(task.wait.what, 160) : undefined], ["for", task.waited === undefined ? undefined : waited < 1 ? "less than 1 s" : span(waited)],
      ["due in", task.wait?.dueIn === undefined ? undefined : task.wait.dueIn < 0 ? `${span(task.wait.dueIn)} overdue` : span(task.wait.dueIn)],
      ["age", span(task.age)], ["busy", span(task.busy)], ["ready", span(task.ready)], ["blocked", span(task.blocked)],
      ["polls", task.polls === undefined ? undefined : num(task.polls)], ["spawned at", task.spawnSite], ["holds", task.holds.map(one => cut(one, 160)).join(", ")],
      ["asked to stop", task.cancelCause], ["resident", task.isResident ? "may wait for ever" : undefined], ["abandoned", task.isAbandoned ? "its caller has given it up" : undefined],
    ]),
    el("h3", {}, "Where it stands, the innermost first"),
    chain.length === 0 ? el("p", { class: "quiet" }, task.state === "Blocked" ? "Nothing is known." : "It does not wait, so it stands nowhere.") :
      el("ol", { class: "chain" }, ...chain.map(frame => el("li", { class: frame.isInfrastructure ? "faint" : "" }, `${frame.type ? `${frame.type}.` : ""}${frame.method}`, frame.isPlain ? el("span", { class: "quiet" }, "  plain async") : null, frame.site ? el("span", { class: "mono" }, frame.site) : null))),
  ];
  if (answer.waitsOn.length) {
    parts.push(el("h3", {}, answer.isRing ? "On whom it waits: a ring, so for ever" : "On whom it waits"),
      el("ol", { class: answer.isRing ? "chain ring" : "chain" }, ...answer.waitsOn.map(one => el("li", {},
        el("button", { type: "button", class: "link", onclick: () => open(one.id) }, `#${one.id} ${cut(one.name, 80)}`),
        el("span", { class: "mono" }, `${one.wait ? `waits for ${one.wait.what}` : stateOf(one.state)}${one.awaitSite ? ` at ${one.awaitSite}` : ""}`)))));
  }
  return parts;
}

// ---- keys and controls ---------------------------------------------------------------------------------------------

function pause(yes) {
  state.paused = yes;
  $("pause").setAttribute("aria-pressed", String(yes));
  text($("pause"), yes ? "Go on" : "Pause");
  if (yes) { disconnect(); connection("waiting", "paused"); } else { connect(); refresh(); }
}

function filter(value) {
  Object.assign(state, { filter: value.trim().toLowerCase(), found: null, rows: ROWS });
  table.scrollTop = 0;
  search();
  schedule();
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const typing = event.target === $("filter");
  if (event.key === "Escape") {
    if ($("help").open) return; // the dialog closes itself
    if (state.detail) close();
    else if (state.filter || typing) { $("filter").value = ""; filter(""); $("filter").blur(); }
    return;
  }
  if (typing) {
    if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); step(0); }
    return;
  }
  if ($("help").open || event.target.closest?.("select, input")) return;
  switch (event.key) {
    case "/": event.preventDefault(); $("filter").focus(); $("filter").select(); break;
    case "j": step(1); break;
    case "k": step(-1); break;
    case "p": pause(!state.paused); break;
    case "?": $("help").showModal(); break;
    case "Enter":
      if (event.target.group) open(event.target.group.oldest, event.target.group);
      break;
  }
}

async function choose() {
  const answer = await fetch("runtimes");
  if (!answer.ok) { connection("off", `the server answered ${answer.status}`); return; }
  const { runtimes } = await answer.json();
  const wanted = new URLSearchParams(location.search).get("runtime");
  state.runtime = (runtimes.find(one => one.key === wanted) ?? runtimes[0]).key;
  const box = $("runtime");
  box.replaceChildren(...runtimes.map(one => el("option", { value: one.key, selected: one.key === state.runtime }, `${one.key}${one.isStopped ? " (stopped)" : ""}`)));
  box.onchange = () => {
    Object.assign(state, { runtime: box.value, history: [], pools: new Map(), frame: null, found: null, said: null, rows: ROWS });
    history.replaceState(null, "", `${location.pathname}?runtime=${encodeURIComponent(box.value)}`);
    if (state.detail) close();
    begin();
  };
  begin();
}

function begin() {
  document.title = `${state.runtime} · Moirai`;
  $("download").href = `snapshot${query()}`;
  connect();
}

table.addEventListener("scroll", () => { if (table.scrollTop + table.clientHeight > table.scrollHeight - 150) moreRows(); }, { passive: true });
$("filter").addEventListener("input", event => filter(event.target.value));
$("pause").addEventListener("click", () => pause(!state.paused));
$("ask").addEventListener("click", () => $("help").showModal());
document.addEventListener("keydown", key);
document.addEventListener("visibilitychange", () => { if (document.hidden) disconnect(); else if (state.runtime !== null) connect(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = null; });
new IntersectionObserver(seen => {
  isInView = seen.at(-1).isIntersecting;
  if (!isInView) return;
  clearTimeout(livesTimer);
  livesTimer = setTimeout(moveLives);
}).observe($("lives-picture"));
new ResizeObserver(([box]) => { livesWidth = Math.round(box.contentRect.width); }).observe($("lives-picture")); // told, not asked: to ask lays the page out

// The page comes part by part, each with a picture of its own, the head first and then card by card: laid out at once, and in the task that reads the script, it was one of the longest tasks of all.
function come() {
  const parts = document.querySelectorAll(".later");
  for (const one of parts) {
    one.classList.remove("later");
    if (!one.closest("header")) break;
  }
  if (parts.length > 0) afterPicture(come);
}

afterPicture(() => {
  come();
  moveLives();
  choose().catch(() => { connection("off", "no connection"); setTimeout(() => location.reload(), 3000); });
});
