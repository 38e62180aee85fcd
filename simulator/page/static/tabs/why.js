// @ts-check
// The tab Why: where the time of a pass goes, under which roof, and what fills the memory.

import { el, fill, keys } from "../dom.js";
import { axisOf, colour, layoutOf, onGround, plot } from "../theme.js";
import { plain, shown } from "../words.js";
import { whichOf } from "../which.js";

const MOST_BARS = 14;
const MILLI = 1e-3;
const TERA = 1e12;
const CAUSES = ["memory", "compute", "communication", "floor", "host"];

export const whyTab = { name: "why", label: "Why", kind: "why", live: false, mount: mountWhy };

function mountWhy(root, page) {
  const bars = el("div", {});
  const roof = el("div", {});
  const memory = el("div", {});
  const phases = el("div", { class: "chips", role: "group", "aria-label": "Pass" });
  const which = whichOf(page, "why", ["hardware", "mtp", "tp", "concurrency"], phases);
  const said = el("div", { class: "sentence fine" });
  const [causes, held] = [el("div", {}), el("div", {})];
  const frame = (title, chart, name, legend) => el("div", { class: `card frame ${name}` }, el("h2", {}, title), legend, el("div", { class: "chart" }, chart));
  fill(root, which.root, el("div", { class: "split why" }, frame("Time per operator, by cause", bars, "tall", causes), frame("Roofline: achieved against possible", roof, ""), frame("Memory of the fullest GPU", memory, "flat", held)), said);
  let phase = "";
  let last = null;

  function draw(answer, state) {
    last = answer;
    const all = phasesOf(answer);
    const own = all.find((one) => one.name === phase) ?? all[0];
    which.show(state, answer);
    fill(phases, ...all.map((one) => phaseChip(one, own)));
    fill(said, el("p", {}, answer.sentences.join("; ")), el("p", { class: "dim" }, answer.memory_text));
    fill(causes, keys(CAUSES.map((cause) => ({ colour: onGround(page.choices.colours.bound[cause]), label: cause === "floor" ? "floor (latency)" : cause }))));
    const parts = partsOfMemory(answer, page.choices.colours);
    fill(held, keys(parts.map((part) => ({ ...part, label: `${part.name} ${plain(part.gb)} GB` }))));
    drawBars(bars, own, page.choices.colours);
    drawRoof(roof, own, answer.roofs, page.choices.colours);
    drawMemory(memory, answer.memory, parts);
  }
  function phaseChip(one, own) {
    const input = el("input", { type: "radio", name: "phase", value: one.name, onchange: () => ((phase = one.name), page.show()) });
    input.checked = one === own;
    return el("label", { class: "chip" }, input, el("span", {}, `${one.name} (${plain(one.seconds / MILLI)} ms)`));
  }
  const columns = ["phase", "group", "name", "count", "seconds", "share", "bound", "flops", "bytes", "message_bytes", "intensity_flop_per_byte", "achieved_flop_s", "achieved_byte_s"];
  const rows = () => phasesOf(last).flatMap((one) => one.operators.map((row) => columns.map((name) => (name === "phase" ? one.name : row[name] ?? null))));
  return { draw, chart: () => bars, table: () => ({ columns, rows: rows() }), sentence: () => last.sentences.join("; ") };
}

function phasesOf(answer) {
  return Object.entries(answer.phases).map(([name, { totals, columns, rows }]) => ({ name, seconds: totals.seconds, operators: rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]]))) }));
}

/** Seconds of an operator by cause. */
function partsOf(row) {
  if (row.bound === "host") return { host: row.seconds };
  return { floor: row.floor_seconds, compute: row.compute_seconds, [row.message_bytes > 0 ? "communication" : "memory"]: row.transfer_seconds };
}

function nameOfOperator(row) {
  return row.group?.startsWith("draft") && !row.name.startsWith("draft") ? `draft: ${row.name}` : row.name;
}

function drawBars(chart, phase, colours) {
  const sorted = [...phase.operators].sort((a, b) => b.seconds - a.seconds);
  const head = sorted.slice(0, MOST_BARS);
  const rest = sorted.slice(MOST_BARS);
  const names = head.map((row) => shown(nameOfOperator(row)));
  const last = `${rest.length} others`;
  const ms = (seconds) => seconds / MILLI;
  const traces = CAUSES.filter((cause) => head.some((row) => (partsOf(row)[cause] ?? 0) > 0)).map((cause) => ({
    type: "bar", orientation: "h", x: head.map((row) => ms(partsOf(row)[cause] ?? 0)), y: names, name: cause === "floor" ? "floor (latency)" : cause, marker: { color: onGround(colours.bound[cause]) }, hovertemplate: `%{y}<br>${cause}: %{x:.3g} ms<extra></extra>`,
  }));
  if (rest.length) traces.push({ type: "bar", orientation: "h", x: [ms(rest.reduce((sum, row) => sum + row.seconds, 0))], y: [last], marker: { color: colour("edge") }, showlegend: false, hovertemplate: "%{y}: %{x:.3g} ms<extra></extra>" });
  const total = phase.seconds;
  const every = [...head, ...(rest.length ? [{ seconds: rest.reduce((sum, row) => sum + row.seconds, 0) }] : [])];
  const longest = Math.max(...every.map((row) => ms(row.seconds)));
  const notes = every.map((row, i) => ({ x: ms(row.seconds), y: i < head.length ? names[i] : last, text: `${plain(ms(row.seconds))} ms, ${plain((100 * row.seconds) / total)} %`, showarrow: false, xanchor: "left", xshift: 5, font: { size: 11, color: colour("soft") } }));
  const layout = layoutOf({
    barmode: "stack", bargap: 0.28, annotations: notes, xaxis: { title: { text: "Time (ms)" }, range: [0, 1.42 * longest], zeroline: false },
    yaxis: { autorange: "reversed", ticks: "", showgrid: false, tickfont: { size: 11, color: colour("ink") } }, showlegend: false, margin: { l: 20, r: 8, t: 4, b: 38 },
  });
  plot(chart, traces, layout);
}

function drawRoof(chart, phase, roofs, colours) {
  const { bandwidth } = roofs;
  const peaks = Object.entries(roofs.peaks).map(([name, rate]) => ({ name, rate }));
  const ridge = (rate) => rate / bandwidth;
  const rows = phase.operators.filter((row) => row.intensity_flop_per_byte > 0 && row.achieved_flop_s > 0 && row.share >= 0.001);
  const top = Math.max(...peaks.map((peak) => peak.rate));
  const x = rows.map((row) => row.intensity_flop_per_byte);
  const y = rows.map((row) => row.achieved_flop_s / TERA);
  const [low, high] = [Math.min(0.5, ...x) / 2, 3 * Math.max(12 * ridge(top), ...x)];
  const ink = colour("ink");
  const flat = (peak) => ({ type: "scatter", mode: "lines", x: [ridge(peak.rate), high], y: [peak.rate / TERA, peak.rate / TERA], line: { color: ink, width: 1.5 }, hoverinfo: "skip", showlegend: false });
  const slope = { type: "scatter", mode: "lines", x: [low, ridge(top)], y: [(low * bandwidth) / TERA, top / TERA], line: { color: ink, width: 1.5 }, hoverinfo: "skip", showlegend: false };
  const bounds = CAUSES.filter((cause) => rows.some((row) => row.bound === cause));
  const dots = bounds.map((cause) => {
    const own = rows.filter((row) => row.bound === cause);
    return {
      type: "scatter", mode: "markers+text", name: `${cause}-bound`, x: own.map((row) => row.intensity_flop_per_byte), y: own.map((row) => row.achieved_flop_s / TERA),
      text: own.map((row) => (row.share >= 0.05 ? shown(nameOfOperator(row)) : "")), textposition: "bottom right", textfont: { size: 10.5, color: colour("soft") }, hovertext: own.map((row) => shown(`${nameOfOperator(row)}: ${plain(100 * row.share)} % of the time`)), hovertemplate: "%{hovertext}<br>%{x:.3g} FLOP/B, %{y:.3g} TFLOP/s<extra></extra>",
      marker: { color: onGround(colours.bound[cause]), opacity: 0.85, size: own.map((row) => 7 + 44 * Math.sqrt(row.share)), symbol: own.map((row) => (row.group?.startsWith("draft") ? "diamond" : "circle")), line: { color: colour("panel"), width: 1 } },
    };
  });
  const label = (at, value, text, more = {}) => ({ x: Math.log10(at), y: Math.log10(value), text, showarrow: false, font: { size: 10.5, color: colour("soft") }, ...more });
  const notes = [
    ...peaks.map((peak) => label(high, peak.rate / TERA, `${shown(peak.name.toUpperCase())} ${plain(peak.rate / TERA)} TFLOP/s`, { xanchor: "right", yshift: 8 })),
label(ridge(top) / 8, top / 8 / TERA, `HBM ${plain(bandwidth / TERA)} TB/s`, { xanchor: "right", xshift: -7, yshift: 2 }),
  ];
  const power = (title) => ({ ...axisOf(title, true), dtick: 1 });
  const layout = layoutOf({
    xaxis: { ...power("Arithmetic intensity (FLOP per HBM byte)"), range: [Math.log10(low), Math.log10(high)] }, yaxis: { ...power("Achieved TFLOP/s"), range: [Math.log10(Math.min(1, ...y) / 4), Math.log10((3 * top) / TERA)] },
    annotations: notes, showlegend: false, margin: { l: 54, r: 8, t: 8, b: 38 },
  });
  plot(chart, [slope, ...peaks.map(flat), ...dots], layout);
}

function partsOfMemory({ memory, concurrency }, colours) {
  const running = Math.min(concurrency, memory.max_concurrency);
  const parts = [
    { name: "weights", gb: memory.weights_gb },
    { name: "workspace", gb: memory.workspace_gb },
    { name: `KV cache of ${running} requests`, gb: running * memory.kv_per_request_gb },
    { name: `their recurrent states`, gb: running * memory.state_per_request_gb },
  ];
  return parts.map((part, i) => ({ ...part, colour: onGround(colours.series[i]) })).filter((part) => part.gb > 0);
}

function drawMemory(chart, memory, parts) {
  const traces = parts.map((part) => ({ type: "bar", orientation: "h", y: [""], x: [part.gb], name: shown(part.name), marker: { color: part.colour }, hovertemplate: `${shown(part.name)}: %{x:.3g} GB<extra></extra>` }));
  const at = memory.budget_gb;
  const layout = layoutOf({
    barmode: "stack", showlegend: false, xaxis: { range: [0, 1.06 * Math.max(at, memory.used_gb)], ticksuffix: " GB" }, yaxis: { ticks: "", showgrid: false, showticklabels: false, zeroline: false }, margin: { l: 10, r: 14, t: 16, b: 24 },
    shapes: [{ type: "line", x0: at, x1: at, yref: "paper", y0: 0, y1: 1, line: { color: colour("ink"), width: 2, dash: "dash" } }],
    annotations: [{ x: at, yref: "paper", y: 1, yanchor: "bottom", xanchor: "right", text: `budget ${plain(at)} GB`, showarrow: false, font: { size: 11, color: colour("soft") } }],
  });
  plot(chart, traces, layout);
}
