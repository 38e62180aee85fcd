// @ts-check
// The tab Curve: fronts with their 90 % bands, measured points over them, and readings at an interactivity.

import { hoverCard } from "../card.js";
import { el, fill, keys, table } from "../dom.js";
import { frontOf, splined, steps } from "../front.js";
import { looksOf, symbolOf } from "../looks.js";
import { MOST, pinned, runs } from "../state.js";
import { axisOf, colour, faded, layoutOf, plot } from "../theme.js";
import { axisWords, betterWords, cellWords, columnWords, percent, plain, shown } from "../words.js";

const SPEED = "interactivity_tok_s_user";
const THROUGHPUT = "total_tok_s_gpu";
const READ = [THROUGHPUT, "cost_usd_per_mtok", "tok_s_per_mw", "concurrency"];

export const curveTab = { name: "curve", label: "Curve", kind: "curve", live: false, banded: true, mount: mountCurve };

function mountCurve(root, page) {
  const chart = el("div", {});
  const better = el("p", { class: "better" });
  const card = hoverCard();
  const legend = el("div", { class: "legend" });
  const frame = el("div", { class: "card frame" }, el("div", { class: "beside" }, legend, better), el("div", { class: "chart" }, chart), card.root);
  const said = el("div", { class: "sentence said", tabindex: 0, role: "region", "aria-label": "What the fronts say" });
  const pins = el("div", { class: "pins" });
  const readBox = el("div", { class: "card scroll readings", tabindex: 0, role: "region", "aria-label": "Readings" });
  const all = el("details", { class: "all" }, el("summary", {}, "All points as a table"), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "All points" }));
  fill(root, frame, el("div", { class: "beside" }, said, pins), readBox, all);
  let points = [];
  let drawn = null;

  function draw(answer, state, extra) {
    drawn = { answer, state };
    const [x, y] = [state.x, state.y].map((name) => page.choices.metrics.find((metric) => metric.name === name) ?? { name, label: name });
    const kept = within(answer, state, page.source.live);
    const looks = looksOf(kept, page.choices.colours, state.hardware);
    const labels = new Map(page.choices.hardware.map((one) => [one.name, one.label]));
    const sizes = [...new Set(kept.flatMap((one) => one.rows.map((row) => row[one.columns.indexOf("tp")])))].sort((a, b) => a - b);
    const context = { x, y, state, looks, labels, sizes, several: state.hardware.length > 1 };
    const reads = readingsOf(answer, kept, state);
    const traces = [
      ...extra.flatMap((pin, i) => pinTraces(pin, i, context)),
      ...kept.flatMap((one) => bandTrace(one, context)),
      ...kept.flatMap((one) => lineTraces(one, context)),
      ...(answer.measured ?? []).flatMap((one) => measuredTrace(one, kept, context)),
      ...ownTrace(page.check, context),
      ...selectedTrace(page.selected, context),
      ...readingTrace(reads, context),
    ];
    points = traces.map((trace) => trace.rows ?? null);
    fill(legend, legendOf(traces, sizes));
    better.textContent = betterWords(x, y);
    const lines = x.name === SPEED ? state.at.map((at) => ({ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: colour("soft"), width: 1, dash: "dot" }, layer: "below" })) : [];
    const from = (log) => (log ? {} : { rangemode: "tozero" });
    const layout = layoutOf({
      xaxis: { ...axisOf(axisWords(x), state.logx), ...from(state.logx) }, yaxis: { ...axisOf(axisWords(y), state.logy), ...from(state.logy) },
      shapes: lines, showlegend: false, margin: { l: 58, r: 16, t: 8, b: 40 },
      uirevision: `${state.x} ${state.y} ${state.logx} ${state.logy} ${state.isl} ${state.osl} ${state.model} ${state.hardware}`,
    });
    plot(chart, traces.map(({ rows, key, ...trace }) => trace), layout);
    listen();
    fill(said, el("p", {}, sentences(answer).join("; ")));
    fill(pins, ...pinButtons(page, state));
    fill(readBox, readingTable(reads, context, page));
    fillAll(all, kept, context, page);
  }

  function listen() {
    if (chart.dataset.listens) return;
    chart.dataset.listens = "true";
    chart.on("plotly_hover", (event) => hovered(event.points[0]));
    chart.on("plotly_unhover", card.hide);
    chart.on("plotly_click", (event) => clicked(event.points[0]));
    frame.addEventListener("mouseleave", card.hide);
  }
  function rowAt(point) {
    return points[point.curveNumber]?.[point.pointNumber] ?? null;
  }
  function hovered(point) {
    const found = rowAt(point);
    if (found) card.show(found, point, frame, chart);
  }
  function clicked(point) {
    const speed = rowAt(point)?.values[SPEED];
    if (typeof speed !== "number") return;
    const at = Number(speed.toFixed(1));
    const others = drawn.state.at.filter((one) => one !== at);
    page.set({ at: [...others, at].slice(-MOST.at).sort((a, b) => a - b) });
  }

  return { draw, chart: () => chart, table: () => exported(within(drawn.answer, drawn.state, page.source.live)), sentence: () => sentences(drawn.answer).join("; ") };
}

/** Of a file, the rows that the chosen TP and clients leave. */
function within(answer, state, live) {
  if (live) return answer.series;
  return answer.series.map((one) => {
    const [tp, clients] = ["tp", "concurrency"].map((name) => one.columns.indexOf(name));
    return { ...one, rows: one.rows.filter((row) => runs(state.sweep, row[tp], row[clients])) };
  });
}

function recordsOf(one) {
  return one.rows.map((row) => Object.fromEntries(one.columns.map((name, i) => [name, row[i]])));
}

/** Rows on the line of a series: its front, or by replica size where an axis is the number of clients. */
function linesOf(records, { x, y }) {
  const known = records.filter((row) => Number.isFinite(row[x.name]) && Number.isFinite(row[y.name]));
  if ([x.name, y.name].includes("concurrency")) {
    const sizes = [...new Set(known.map((row) => row.tp))];
    return { lines: sizes.map((tp) => known.filter((row) => row.tp === tp).sort((a, b) => a[x.name] - b[x.name])), off: [] };
  }
  const front = frontOf(known.map((row) => row[x.name]), known.map((row) => row[y.name]), x.better !== "low", y.better !== "low").map((i) => known[i]);
  return { lines: [front], off: known.filter((row) => !front.includes(row)) };
}

function smooth(line, x, y) {
  const xs = line.map((row) => row[x]);
  const rising = xs.every((value, i) => !i || value > xs[i - 1]);
  if (!rising) return { x: xs, y: line.map((row) => row[y]) };
  const at = steps(xs);
  return { x: at, y: splined(xs, line.map((row) => row[y]), at) };
}

function bandTrace(one, context) {
  const { x, y, looks } = context;
  const ends = [`${y.name}_lo`, `${y.name}_hi`];
  return linesOf(recordsOf(one), context).lines.flatMap((line) => {
    const banded = line.filter((row) => ends.every((end) => Number.isFinite(row[end])));
    if (banded.length < 2) return [];
    const [low, high] = ends.map((end) => smooth(banded, x.name, end));
    const tone = looks.get(one.id).colour;
    return [{ type: "scatter", mode: "lines", x: [...high.x, ...low.x.reverse()], y: [...high.y, ...low.y.reverse()], fill: "toself", fillcolor: faded(tone, 0.2), line: { width: 0 }, hoverinfo: "skip", showlegend: false, name: "90 % interval" }];
  });
}

function lineTraces(one, context) {
  const { x, y, looks, sizes, labels, several } = context;
  const look = looks.get(one.id);
  const name = several ? `${labels.get(one.hardware) ?? one.hardware} ${look.name.split(" ").slice(1).join(" ")}` : look.name;
  const { lines, off } = linesOf(recordsOf(one), context);
  const line = lines.map((rows, i) => ({ type: "scatter", mode: "lines", ...smooth(rows, x.name, y.name), line: { color: look.colour, width: 2.6, dash: look.dash }, name: shown(name), key: i === 0 && name, legendgroup: one.id, showlegend: i === 0, hoverinfo: "skip" }));
  const marks = (rows, faint) => ({
    type: "scatter", mode: "markers", x: rows.map((row) => row[x.name]), y: rows.map((row) => row[y.name]), hoverinfo: "none", showlegend: false, legendgroup: one.id, name: shown(name), rows: rows.map((values) => ({ title: name, values, series: one })),
    marker: { color: look.colour, size: faint ? 6 : 8.5, opacity: faint ? 0.35 : 1, symbol: rows.map((row) => symbolOf(sizes, row.tp)), line: { color: colour("panel"), width: faint ? 0 : 1.2 } },
  });
  return [...line, ...(off.length ? [marks(off, true)] : []), marks(lines.flat(), false)];
}

function measuredTrace(one, series, context) {
  const { x, y, looks, labels, several } = context;
  const records = recordsOf(one).filter((row) => Number.isFinite(row[x.name]) && Number.isFinite(row[y.name]));
  if (!records.length) return [];
  const own = looks.get(one.series) ?? looks.get(series.find((other) => other.spec === one.spec)?.id);
  const name = several || !one.hardware ? one.label : one.label.replace(`${labels.get(one.hardware)} `, "");
  return [{
    type: "scatter", mode: "markers", x: records.map((row) => row[x.name]), y: records.map((row) => row[y.name]), hoverinfo: "none", name: shown(one.label), key: name, rows: records.map((values) => ({ title: name, values, series: one })),
    marker: { symbol: "diamond-open", size: 11, color: own?.colour ?? colour("ink"), line: { width: 2.2, color: own?.colour ?? colour("ink") } },
  }];
}

/** The rows that were checked, where they are of these lengths and accelerators. */
function ownTrace(check, { x, y, state }) {
  if (!check) return [];
  const here = check.rows.filter((row) => state.hardware.includes(row.hardware) && row.isl === state.isl && row.osl === state.osl && Number.isFinite(row[x.name]) && Number.isFinite(row[y.name]));
  if (!here.length) return [];
  const values = ({ expected, ...row }) => row;
  return [{
    type: "scatter", mode: "markers", x: here.map((row) => row[x.name]), y: here.map((row) => row[y.name]), name: "your rows", key: "your rows", hoverinfo: "none", rows: here.map((row) => ({ title: `line ${row.line}`, values: values(row), series: {} })),
    marker: { symbol: "circle-open", size: 9, color: colour("ink"), line: { width: 1.8, color: here.map((row) => (row.verdict === "impossible" ? colour("red") : colour("ink"))) } },
  }];
}

function selectedTrace(row, { x, y }) {
  if (!row || !Number.isFinite(row[x.name]) || !Number.isFinite(row[y.name])) return [];
  return [{ type: "scatter", mode: "markers", x: [row[x.name]], y: [row[y.name]], name: "selected row", key: "selected row", hoverinfo: "none", rows: [{ title: "selected row", values: row, series: {} }], marker: { symbol: "circle-open", size: 20, color: colour("red"), line: { width: 2.5 } } }];
}

/** The answer's readings; where it has none, as in a file at another interactivity, the same spline through the same front. */
function readingsOf(answer, kept, state) {
  const known = answer.readings ?? [];
  return state.at.flatMap((at) => {
    const given = known.filter((row) => row.at === at);
    return given.length ? given : kept.map((one) => readAt(one, at));
  });
}

function readAt(one, at) {
  const records = recordsOf(one);
  const front = frontOf(records.map((row) => row[SPEED]), records.map((row) => row[THROUGHPUT]), true, true).map((i) => records[i]);
  const speeds = front.map((row) => row[SPEED]);
  const read = (name) => {
    const [value] = front.every((row) => Number.isFinite(row[name])) ? splined(speeds, front.map((row) => row[name]), [at]) : [NaN];
    return Number.isFinite(value) ? value : null;
  };
  const beside = front.filter((_, i) => (speeds[i] <= at && !(speeds[i + 1] <= at)) || (speeds[i] >= at && !(speeds[i - 1] >= at)));
  const sizes = new Set(beside.map((row) => row.tp));
  const names = READ.flatMap((name) => [name, `${name}_lo`, `${name}_hi`]);
  return { at, series: one.id, hardware: one.hardware, mtp: one.mtp, spec: one.spec, tp: sizes.size === 1 ? [...sizes][0] : null, ...Object.fromEntries(names.map((name) => [name, read(name)])) };
}

function readingTrace(readings, { x, y, looks }) {
  if (x.name !== SPEED) return [];
  const rows = readings.filter((row) => Number.isFinite(row[y.name]) && looks.has(row.series) && !row.published);
  if (!rows.length) return [];
  return [{ type: "scatter", mode: "markers", x: rows.map((row) => row.at), y: rows.map((row) => row[y.name]), hoverinfo: "skip", showlegend: false, name: "readings", marker: { symbol: "cross-thin", size: 11, line: { width: 2, color: rows.map(() => colour("ink")) } } }];
}

/** What lines and markers mean, read off the traces. */
function legendOf(traces, sizes) {
  const named = traces.filter((trace) => trace.key);
  const items = named.map((trace) => ({ colour: trace.line?.color ?? trace.marker.color, label: trace.key, shape: trace.mode === "lines" ? `line ${trace.line.dash ?? "solid"}` : trace.marker.symbol }));
  const marks = sizes.length > 1 ? sizes.map((tp) => ({ colour: colour("soft"), label: `TP ${tp}`, shape: symbolOf(sizes, tp) })) : [];
  return keys([...items, ...marks]);
}

function pinTraces(pin, place, context) {
  const dash = ["dot", "dashdot", "longdash", "longdashdot"][place % 4];
  return pin.answer.series.flatMap((one) =>
    linesOf(recordsOf(one), context).lines.map((line, i) => ({ type: "scatter", mode: "lines", ...smooth(line, context.x.name, context.y.name), opacity: 0.75, line: { color: colour("soft"), width: 1.8, dash }, name: shown(`pin ${place + 1}: ${one.label}`), key: i === 0 && `pin ${place + 1}: ${one.label}`, legendgroup: `pin ${place} ${one.id}`, showlegend: i === 0, hoverinfo: "skip" })),
  );
}

function pinButtons(page, state) {
  const list = state.pins.map((pin, i) =>
    el("button", { type: "button", class: "small", title: page.titleOf(page.unpinned(pin)), onclick: () => page.set({ pins: state.pins.filter((one) => one !== pin) }) }, `Unpin ${i + 1}`),
  );
  const now = page.pinOf(pinned(state));
  const held = state.pins.includes(now) || state.pins.length >= MOST.pins;
  return [...list, el("button", { type: "button", class: "small", disabled: held, onclick: () => page.set({ pins: [...state.pins, now] }) }, "Pin these series")];
}

function sentences(answer) {
  return answer.sentences ?? [];
}

function readingTable(readings, { looks, labels, several }, page) {
  const rows = readings.filter((row) => looks.has(row.series));
  if (!rows.length) return el("p", { class: "note line" }, "Click a point to read the fronts at its interactivity.");
  const published = rows.some((row) => row.published);
  const head = ["tok/s/user", "Series", "tok/s/GPU", "90 % interval", "USD/M tokens", "tok/s/MW", "clients", "TP", ...(published ? ["published", "error"] : []), ""];
  const body = rows.map((row) => {
    const look = looks.get(row.series);
    const dot = el("span", { class: "dot" });
    dot.style.background = look.colour;
    const name = several ? `${labels.get(row.hardware) ?? row.hardware} ${row.mtp ? `MTP ${row.mtp}` : "Off"}` : look.name;
    const number = (key, digits) => (typeof row[key] === "number" ? row[key].toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–");
    const ends = Number.isFinite(row.total_tok_s_gpu_lo) ? `${plain(row.total_tok_s_gpu_lo)} to ${plain(row.total_tok_s_gpu_hi)}` : "–";
    const known = [plain(row.at), el("span", { title: row.tie ?? "" }, dot, name, row.tie ? " (tie)" : ""), number(THROUGHPUT, 0), ends, number("cost_usd_per_mtok", 3), number("tok_s_per_mw", 0), number("concurrency", 0), row.tp ?? "–"];
    const beside = published ? [row.published ? plain(row.published[THROUGHPUT]) : "–", Number.isFinite(row.error?.[THROUGHPUT]) ? percent(row.error[THROUGHPUT], 1) : "–"] : [];
    const gone = el("button", { type: "button", class: "plainbutton", "aria-label": `Do not read at ${row.at}`, title: "Do not read here", onclick: () => page.set({ at: page.state.at.filter((at) => at !== row.at) }) }, "×");
    return [...known, ...beside, gone];
  });
  return table("Readings of the fronts at an interactivity", head, body);
}

function fillAll(details, kept, { labels }, page) {
  const holder = details.querySelector("div");
  const show = () => {
    if (!details.open) return;
    const names = ["tp", "concurrency", SPEED, THROUGHPUT, "cost_usd_per_mtok", "mean_tpot_ms", "mean_ttft_ms", "bound_by", "scope"];
    const rows = kept.flatMap((one) => recordsOf(one).map((row) => [`${labels.get(one.hardware) ?? one.hardware} ${one.mtp ? `MTP ${one.mtp}` : "Off"}`, ...names.map((name) => cellWords(row[name]))]));
    fill(holder, table("All points", ["Series", ...names.map(columnWords)], rows));
  };
  details.ontoggle = show;
  show();
}

function exported(series) {
  const columns = ["series", ...new Set(series.flatMap((one) => one.columns))];
  const rows = series.flatMap((one) => recordsOf(one).map((row) => columns.map((name) => (name === "series" ? one.label : row[name] ?? null))));
  return { columns, rows };
}
