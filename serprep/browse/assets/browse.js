"use strict";
/* The page: table, filters, one utterance, marks, map.  Text of a corpus is only ever textContent. */

const serprep = (() => {
  const waiting = new Map();
  return {
    take(name, value) { waiting.get(name)?.(value); waiting.delete(name); },
    load(name) {
      return new Promise((done, failed) => {
        const script = element("script", null, { src: `data/${name}.js` });
        waiting.set(name, done);
        script.onload = () => script.remove();
        script.onerror = () => { script.remove(); waiting.delete(name); failed(new Error("the server does not answer; is `serprep browse` still running?")); };
        document.head.append(script);
      });
    },
  };
})();

const at = (id) => document.getElementById(id);
const state = { corpus: null, columns: [], rows: [], marks: new Map(), unsaved: false, chosen: null, order: [], table: null, sound: null, map: null, places: null, inside: null, shown: null };

start().catch((error) => { at("summary").textContent = error.message; });

async function start() {
  const [corpus, first] = await Promise.all([serprep.load("corpus"), serprep.load("first")]);
  state.corpus = corpus;
  corpus.marks.forEach(([id, mark, emotion]) => state.marks.set(id, { mark, emotion }));
  keep(first);
  document.title = `${corpus.title}: serprep browse`;
  at("title").textContent = corpus.title;
  at("summary").textContent = [`${corpus.n} utterances, ${corpus.hours.toFixed(2)} hours`, `version ${corpus.version.slice(0, 12)}`, ...corpus.licences, ...corpus.notes].join(" · ");
  showMarks();
  await makeTable();
  if (state.rows.length < corpus.n_rows) {
    at("count").textContent = `the first ${state.rows.length} of ${corpus.n_rows} rows; reading the others …`;
    await new Promise((seen) => requestAnimationFrame(() => setTimeout(seen))); // what is there is seen before the rest is asked for
    keep(await serprep.load("rows"));
    await state.table.replaceData(state.rows);
    state.order = null;
  }
  fillFilters();
  count(state.rows.length);
  setTimeout(prepareMap); // the table is seen first
}

/* Columns as they were sent → columns and rows of values. */
function keep(columns) {
  state.columns = columns.map((column) => ({ ...column, places: column.words && column.values, values: column.words ? column.values.map((place) => (place === null ? null : column.words[place])) : column.values }));
  const fields = state.columns.map((_, place) => `c${place}`);
  state.rows = columns[0].values.map((_, n) => {
    const row = { n, mark: "", should: "" };
    for (let place = 0; place < fields.length; place++) row[fields[place]] = state.columns[place].values[n];
    return state.marks.has(row.c0) ? Object.assign(row, markOf(row.c0)) : row;
  });
}

const markOf = (id) => ({ mark: state.marks.get(id)?.mark ?? "", should: state.marks.get(id)?.emotion ?? "" });
const columnOf = (role, name) => state.columns.findIndex((column) => column.role === role && (!name || column.name === name));

/* -- filters ---------------------------------------------------------------------- */

function options(select, words, first) {
  select.replaceChildren(element("option", first, { value: "" }), ...words.map((word, place) => element("option", word === "" ? "(none)" : word, { value: String(place + 1) })));
  select.words = words;
}

function fillFilters() {
  for (const [id, role] of [["label", "label"], ["speaker", "speaker"], ["side", "side"], ["quality", "quality"]]) {
    const place = columnOf(role), words = place < 0 ? [] : [...new Set(state.columns[place].values)].filter((word) => word !== null).sort();
    options(at(id), words, "all");
    at(id).parentElement.hidden = words.length < 2;
  }
  options(at("system"), state.corpus.systems, "no system");
  if (state.corpus.systems.length) at("system").options[1].defaultSelected = true;
  options(at("predicted"), state.corpus.labels, "all");
  for (const id of ["system", "predicted", "wrong"]) at(id).parentElement.hidden = !state.corpus.systems.length;
  for (const [id, role] of [["quarantined", "quarantined"], ["doubted", "margin"]]) at(id).parentElement.hidden = columnOf(role) < 0;
  let waiting = 0;
  at("filters").addEventListener("input", () => { waiting ||= requestAnimationFrame(() => { waiting = 0; filter(); }); });
  at("filters").addEventListener("reset", () => { state.inside = null; setTimeout(filter); });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").inert = false;
}

const word = (id) => { const place = Number(at(id).value); return place ? at(id).words[place - 1] : null; };

/* Tests of a row's number. */
function wanted() {
  const tests = [], valuesOf = (place) => state.columns[place].values, is = (place, value) => { const values = valuesOf(place); tests.push((n) => values[n] === value); };
  for (const [id, role] of [["label", "label"], ["speaker", "speaker"], ["side", "side"], ["quality", "quality"]]) if (word(id) !== null) is(columnOf(role), word(id));
  const system = word("system"), says = system === null ? -1 : columnOf("predicted", `${system} says`);
  if (says >= 0 && word("predicted") !== null) is(says, word("predicted"));
  if (says >= 0 && at("wrong").checked) { const said = valuesOf(says), labels = valuesOf(columnOf("label")); tests.push((n) => said[n] !== null && labels[n] && said[n] !== labels[n]); }
  const seconds = valuesOf(columnOf("duration")), low = at("shortest").valueAsNumber, high = at("longest").valueAsNumber;
  if (!Number.isNaN(low)) tests.push((n) => seconds[n] >= low);
  if (!Number.isNaN(high)) tests.push((n) => seconds[n] !== null && seconds[n] <= high);
  if (at("quarantined").checked) { const reasons = valuesOf(columnOf("quarantined")); tests.push((n) => reasons[n] !== null); }
  if (at("doubted").checked) { const margins = valuesOf(columnOf("margin")); tests.push((n) => margins[n] !== null && margins[n] < 0); }
  if (at("doubtful").checked) tests.push((n) => state.rows[n].mark || state.rows[n].should);
  const text = at("search").value.trim().toLowerCase();
  if (text) tests.push(holds(text));
  if (state.inside) tests.push((n) => state.inside.has(n));
  return tests;
}

/* Whether any column of a row holds a text; each word of a column is looked at once, however many rows say it. */
function holds(text) {
  const hits = state.columns.map((column) => {
    column.lower ??= (column.words ?? column.values).map((value) => (typeof value === "string" ? value.toLowerCase() : ""));
    return { places: column.places, fits: column.lower.map((value) => value.includes(text)) };
  }).filter(({ fits }) => fits.includes(true));
  return (n) => hits.some(({ places, fits }) => fits[places ? places[n] : n]);
}

/* Rows are tested here, once; the table is told the outcome: events with 50 000 row objects would cost it half a second. */
function filter() {
  const tests = wanted(), shown = new Uint8Array(state.rows.length).fill(1);
  for (const test of tests) for (let n = 0; n < shown.length; n++) if (shown[n] && !test(n)) shown[n] = 0;
  state.shown = tests.length ? shown : null;
  count(shown.reduce((sum, value) => sum + value, 0));
  state.order = null;
  if (state.shown) state.table.setFilter((row) => shown[row.n]);
  else state.table.clearFilter();
  redraw();
}

/* -- table ------------------------------------------------------------------------ */

function makeTable() {
  const compare = (a, b) => (a === b ? 0 : a === null || a === undefined ? -1 : b === null || b === undefined ? 1 : a < b ? -1 : 1);
  const shown = (cell) => { const made = element("span", cell.getValue()); made.dir = "auto"; return made; };
  const column = (field, name, more = {}) => ({ field, title: "", titleFormatter: () => element("span", name), formatter: shown, sorter: compare, maxWidth: 260, resizable: "header", ...more });
  const columns = state.columns.map((entry, place) => column(`c${place}`, entry.name, place ? {} : { frozen: window.innerWidth > 800 }));
  state.table = new Tabulator("#grid", {
    data: state.rows, index: "n", columns: [...columns.slice(0, 2), column("mark", "mark", { width: 130 }), column("should", "should be", { width: 120 }), ...columns.slice(2)],
    height: "100%", layout: "fitData", rowHeight: 26, renderVerticalBuffer: 130, nestedFieldSeparator: false, movableColumns: true, placeholder: element("span", "Nothing fits these filters."),
    rowFormatter: (row) => paint(row),
  });
  state.table.modules.sort._sortItems = (rows, sorters) => { // its own asks the table for each of a million cells
    const keys = sorters.map(({ column, dir }) => [column.field, dir === "asc" ? 1 : -1]).reverse();
    rows.sort((a, b) => { for (const [field, sign] of keys) { const order = compare(a.data[field], b.data[field]); if (order) return sign * order; } return 0; });
  };
  state.table.on("rowClick", (_, row) => choose(row.getData().n));
  state.table.on("dataSorting", () => { state.order = null; });
  return new Promise((built) => state.table.on("tableBuilt", () => { nameRoles(); built(); }));
}

/* On paper a plain table that breaks its cells: the grid would be cut at the right and below. */
const ON_PAPER = 500;
window.addEventListener("beforeprint", () => {
  if (!state.table) return;
  const names = ["mark", "should be"], fields = ["mark", "should"], rows = state.table.getRows("active");
  state.columns.forEach((column, place) => { names.push(column.name); fields.push(`c${place}`); });
  const printed = plainTable(names, rows.slice(0, ON_PAPER).map((row) => fields.map((field) => row.getData()[field])));
  at("detail").style.width = `${at("detail").offsetWidth}px`; // the waveform is drawn for it
  at("printed").replaceChildren(printed, ...(rows.length > ON_PAPER ? [element("p", `The first ${ON_PAPER} of these ${rows.length} rows.`)] : []));
});
window.addEventListener("afterprint", () => { at("detail").style.width = ""; at("printed").replaceChildren(); });

/* Tabulator lets the focus into an element without a role, where a grid may hold groups of rows only. */
function nameRoles() {
  const grid = at("grid"), holder = grid.querySelector(".tabulator-tableholder");
  grid.removeAttribute("aria-owns");
  grid.setAttribute("aria-label", "Utterances");
  holder.setAttribute("role", "rowgroup");
  holder.querySelector(".tabulator-table").setAttribute("role", "presentation");
}

function paint(row) {
  const data = row.getData(), classes = row.getElement().classList;
  row.getElement().setAttribute("aria-selected", data.n === state.chosen);
  classes.toggle("chosen", data.n === state.chosen);
  classes.toggle("doubt", Boolean(data.mark || data.should));
}

function count(n) { at("count").textContent = n === state.rows.length ? `${n} rows` : `${n} of ${state.rows.length} rows`; }

function step(by) {
  state.order ??= state.table.getRows("active").map((row) => row.getData().n);
  const place = state.order.indexOf(state.chosen), next = state.order[place < 0 ? 0 : Math.max(0, Math.min(state.order.length - 1, place + by))];
  if (next !== undefined && next !== state.chosen) choose(next);
}

/* -- one utterance ---------------------------------------------------------------- */

async function choose(n) {
  const before = state.chosen;
  state.chosen = n;
  for (const number of [before, n]) { const row = number === null ? false : state.table.getRow(number); if (row) paint(row); }
  state.table.scrollToRow(n, "nearest", false).catch(() => {});
  redraw();
  try {
    const detail = await serprep.load(`utterance/${n}`);
    if (state.chosen === n) show(n, detail);
  } catch (error) { at("detail").replaceChildren(element("p", error.message, { className: "bad" })); }
}

function show(n, detail) {
  const place = at("detail"), title = element("h2", detail.id);
  title.dir = "auto";
  state.sound?.destroy();
  state.sound = null;
  place.replaceChildren(title, marksOf(n, detail.id), soundOf(n, detail.sound));
  const section = (name, ...parts) => place.append(element("h3", name), ...parts);
  if (detail.picture) {
    const canvas = element("canvas", null, { role: "img", "aria-label": "Log-mel frames and the segments cut from them" });
    const legend = detail.picture.segments.map((s) => `${s.n} of ${s.length} frames, one every ${s.hop}`).join("; ");
    section("Log-mel and segments", canvas, element("p", legend, { className: "hint" }));
    drawPicture(canvas, detail.picture);
  }
  for (const contour of detail.contours ?? []) {
    const canvas = element("canvas", null, { role: "img", "aria-label": contour.name });
    section(contour.name, canvas);
    drawContour(canvas, contour.values);
  }
  const systems = Object.keys(detail.probabilities ?? {});
  if (systems.length) {
    const bar = (value) => { const made = element("span", null, { className: "bar" }); made.style.width = `${100 * value}%`; return element("span", value.toFixed(3), {}, made); };
    section("Probabilities", plainTable(["label", ...systems], state.corpus.labels.map((label, i) => [label, ...systems.map((system) => bar(detail.probabilities[system][i]))])));
  }
  if (detail.furthest?.length) {
    for (const kind of new Set(detail.furthest.map((entry) => entry[0]))) {
      section(`Furthest from the corpus: ${kind}`, plainTable(["name", "value", "deviations"], detail.furthest.filter((entry) => entry[0] === kind).map((entry) => entry.slice(1)), [1, 2]));
    }
    place.append(element("p", `by mean and deviation of ${detail.compared_with} utterances`, { className: "hint" }));
  }
  if (detail.ratings?.length) section("Raters", plainTable(["rater", "heard", "valence", "arousal", "dominance"], detail.ratings));
  section("What is known", plainTable([], detail.facts));
}

function soundOf(n, sound) {
  const box = element("div", null, { id: "sound" });
  if (sound.reason) { box.append(element("p", `No sound: ${sound.reason}`, { className: "hint" })); return box; }
  const wave = element("div", null, { id: "wave" }), play = element("button", "Play", { type: "button", id: "play" });
  const matched = element("input", null, { type: "checkbox", id: "matched", checked: state.matched ?? false });
  box.append(wave, element("p", null, { className: "tools" }, play, element("label", null, { className: "tick" }, matched, " as loud as others"), element("span", `${sound.seconds.toFixed(2)} s`)));
  const load = () => {
    state.sound?.destroy();
    state.sound = WaveSurfer.create({
      container: wave, height: 72, url: `${state.matched ? "matched" : "audio"}/${n}.wav`, peaks: [sound.peaks], duration: sound.seconds, normalize: true,
      waveColor: ink("--faint"), progressColor: ink("--accent"), cursorColor: ink("--ink"), cspNonce: document.body.dataset.nonce,
    });
    state.sound.on("play", () => { play.textContent = "Pause"; });
    state.sound.on("pause", () => { play.textContent = "Play"; });
  };
  play.addEventListener("click", () => state.sound.playPause());
  matched.addEventListener("change", () => { state.matched = matched.checked; load(); });
  queueMicrotask(load);
  return box;
}

/* -- marks ------------------------------------------------------------------------ */

function marksOf(n, id) {
  const box = element("div", null, { className: "marks", role: "group", "aria-label": "Mark" });
  state.corpus.words.forEach((name, place) => {
    const button = element("button", `${place + 1} ${name}`, { type: "button", "aria-pressed": String(markOf(id).mark === name) });
    button.addEventListener("click", () => mark(n, { mark: markOf(id).mark === name ? "" : name }));
    box.append(button);
  });
  const select = element("select", null, { id: "should" });
  options(select, state.corpus.labels, "as it is");
  select.value = String(state.corpus.labels.indexOf(markOf(id).should) + 1 || "");
  select.addEventListener("change", () => mark(n, { emotion: word("should") ?? "" }));
  box.append(element("label", "Label should be ", {}, select));
  return box;
}

function mark(n, change) {
  const id = state.rows[n].c0, marked = { mark: "", emotion: "", ...state.marks.get(id), ...change };
  if (marked.mark || marked.emotion) state.marks.set(id, marked);
  else state.marks.delete(id);
  state.unsaved = true;
  refresh([n]);
}

function refresh(numbers) {
  state.table.updateData(numbers.map((n) => ({ n, ...markOf(state.rows[n].c0) }))).then(() => numbers.forEach((n) => paint(state.table.getRow(n))));
  numbers.forEach((n) => Object.assign(state.rows[n], markOf(state.rows[n].c0)));
  if (state.chosen !== null && numbers.includes(state.chosen)) document.querySelector(".marks")?.replaceWith(marksOf(state.chosen, state.rows[state.chosen].c0));
  showMarks();
}

function showMarks() { at("marked").textContent = state.marks.size ? `${state.marks.size} marked${state.unsaved ? ", not saved" : ""}` : ""; }

function csv() {
  const quoted = (cell) => (/[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const rows = [...state.marks].map(([id, { mark, emotion }]) => [id, mark, emotion]).sort(([a], [b]) => (a < b ? -1 : 1));
  return [state.corpus.mark_columns, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
}

function cells(text) {
  const rows = [[""]];
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const row = rows.at(-1), sign = text[i];
    if (inside) {
      if (sign !== '"') row[row.length - 1] += sign;
      else if (text[i + 1] === '"') { row[row.length - 1] += '"'; i++; } else inside = false;
    } else if (sign === '"') inside = true;
    else if (sign === ",") row.push("");
    else if (sign === "\n") rows.push([""]);
    else if (sign !== "\r") row[row.length - 1] += sign;
  }
  return rows.filter((row) => row.length > 1 || row[0]);
}

at("save").addEventListener("click", () => {
  const link = element("a", null, { href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), download: "marks.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  state.unsaved = false;
  showMarks();
});

at("load").addEventListener("change", async (event) => {
  const file = event.target.files[0], [head, ...rows] = file ? cells((await file.text()).replace(/^\ufeff/, "")) : [[]];
  if (head?.join() !== state.corpus.mark_columns.join()) { at("marked").textContent = `expected the columns ${state.corpus.mark_columns.join()}`; return; }
  rows.forEach(([id, mark, emotion]) => state.marks.set(id, { mark, emotion }));
  refresh(state.rows.filter((row) => state.marks.has(row.c0)).map((row) => row.n));
  event.target.value = "";
});

window.addEventListener("beforeunload", (event) => { if (state.unsaved) event.preventDefault(); });

/* -- keyboard --------------------------------------------------------------------- */

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea") || !state.table) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === " " && !event.target.closest("button, a, [type=checkbox]")) state.sound?.playPause();
  else if (/^[0-9]$/.test(event.key) && state.chosen !== null) mark(state.chosen, event.key === "0" ? { mark: "", emotion: "" } : { mark: state.corpus.words[event.key - 1] });
  else return;
  event.preventDefault();
});

/* -- map -------------------------------------------------------------------------- */

function prepareMap() {
  const { maps } = state.corpus;
  if (!maps.length) { at("map-note").textContent = "The store has no features of one row an utterance, such as functionals: nothing to map."; at("plane").hidden = true; return; }
  at("kind").replaceChildren(...maps.map(([name, way], place) => element("option", way === "PCA" ? name : `${name}, ${way}`, { value: String(place) })));
  at("colour").replaceChildren(...state.columns.map((column, place) => element("option", column.name, { value: String(place) })));
  at("colour").value = String(columnOf("label"));
  at("kind").addEventListener("change", loadMap);
  at("colour").addEventListener("change", () => { paintMap(); redraw(); });
  at("everywhere").addEventListener("click", () => { state.inside = null; filter(); });
  new ResizeObserver(layMap).observe(at("plane"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let from = null;
  const here = (event) => [event.offsetX, event.offsetY];
  at("plane").addEventListener("pointerdown", (event) => { from = here(event); at("plane").setPointerCapture(event.pointerId); });
  at("plane").addEventListener("pointermove", (event) => { if (from) { redraw(); frame(from, here(event)); } });
  at("plane").addEventListener("pointerup", (event) => { if (from) take(from, here(event)); from = null; });
  loadMap();
}

async function loadMap() {
  const number = at("kind").value;
  at("map-note").textContent = state.corpus.maps[number][1] === "PCA" ? "computing …" : "computing; the first time that takes a minute, and of many utterances longer …";
  try {
    const map = await serprep.load(`map/${number}`);
    if (map.error) throw new Error(map.error);
    if (at("kind").value !== number) return; // another one is awaited by now
    state.map = map;
  } catch (error) { at("map-note").textContent = error.message; return; }
  const [first, second] = state.map.shares.map((share) => `${(100 * share).toFixed(1)} %`);
  const made = state.map.way === "PCA" ? `First two principal components of ${state.map.n_sample} utterances: ${first} and ${second} of the variance.` : `${state.map.way}: near means alike; how far apart groups lie means little.`;
  at("map-note").textContent = `${made} Drag to select, click to choose.`;
  paintMap();
  layMap();
}

function paintMap() {
  const { values } = state.columns[Number(at("colour").value)], known = values.slice(0, state.corpus.n).filter((value) => value !== null), legend = at("legend");
  const item = (colour, text) => { const dot = element("i"); dot.style.background = colour; return element("li", null, { dir: "auto" }, dot, text); };
  if (known.length && typeof known[0] === "number") {
    const [low, high] = known.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
    const share = (value) => (value - low) / (high - low || 1), colour = (value) => `rgb(${shade(share(value))})`;
    state.colours = values.map((value) => (value === null ? GREY : packed(shade(share(value)))));
    legend.replaceChildren(item(colour(low), String(low)), item(colour((low + high) / 2), String(+((low + high) / 2).toPrecision(3))), item(colour(high), String(high)));
    return;
  }
  const counts = new Map();
  known.forEach((value) => counts.set(value, (counts.get(value) ?? 0) + 1));
  const words = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)), named = words.slice(0, words.length > PALETTE.length ? PALETTE.length - 1 : PALETTE.length).sort();
  const colours = new Map(named.map((value, place) => [value, PALETTE[place]])), bits = new Map(named.map((value, place) => [value, packed(rgb(PALETTE[place]))]));
  state.colours = values.map((value) => bits.get(value) ?? GREY);
  legend.replaceChildren(...named.map((value) => item(colours.get(value), value || "(none)")), ...(words.length > named.length ? [item("#888888", `${words.length - named.length} others`)] : []));
}

function layMap() {
  if (!state.map) return;
  state.places = layPlane(at("plane"), state.map.x, state.map.y);
  redraw();
}

function redraw() {
  if (state.places) drawPlane(at("plane"), state.places, state.colours, state.shown, state.chosen);
}

function frame([x, y], [toX, toY]) {
  const drawn = at("plane").getContext("2d");
  drawn.strokeStyle = ink("--ink");
  drawn.strokeRect(x, y, toX - x, toY - y);
}

function take([x, y], [toX, toY]) {
  const [px, py] = state.places, [left, right] = [Math.min(x, toX), Math.max(x, toX)], [top, bottom] = [Math.min(y, toY), Math.max(y, toY)];
  if (right - left < 4 && bottom - top < 4) {
    let best = -1, nearest = 144;
    px.forEach((value, i) => { const away = (value - x) ** 2 + (py[i] - y) ** 2; if (away < nearest && (!state.shown || state.shown[i])) { nearest = away; best = i; } });
    if (best >= 0) choose(best);
    else redraw();
    return;
  }
  const inside = px.keys().filter((i) => px[i] >= left && px[i] <= right && py[i] >= top && py[i] <= bottom);
  state.inside = new Set(inside);
  filter();
}
