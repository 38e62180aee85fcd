// @ts-check
// The tab Break-even: the gain of drafts over Off by clients and acceptance, and the best depth.

import { el, fill, keys } from "../dom.js";
import { colour, faded, layoutOf, plot } from "../theme.js";
import { percent, plain } from "../words.js";
import { whichOf } from "../which.js";

export const breakEvenTab = { name: "break-even", label: "Break-even", kind: "break-even", live: false, mount: mountBreakEven };

function mountBreakEven(root, page) {
  const map = el("div", {});
  const depth = el("div", {});
  const which = whichOf(page, "break-even", ["hardware", "mtp", "tp"]);
  const said = el("div", { class: "sentence columns" });
  const [lines, boxes] = [el("div", {}), el("div", {})];
  const frame = (title, chart, legend) => el("div", { class: "card frame" }, el("h2", {}, title), legend, el("div", { class: "chart" }, chart));
  fill(root, which.root, el("div", { class: "split" }, frame("Gain in tok/s/GPU over Off at the same clients", map, lines), frame("Gain by draft depth", depth, boxes)), said);
  let last = null;

  function draw(answer, state) {
    last = answer;
    which.show(state, answer);
    fill(said, ...sentences(answer).map((text) => el("p", {}, text)));
    fill(lines, keys([{ colour: colour("ink"), label: "break-even, with its 90 % interval", shape: "line solid" }, { colour: colour("accent"), label: `in use: ${plain(answer.own.length)}, ${answer.own.source}`, shape: "line dot" }]));
    fill(boxes, keys([{ colour: colour("ink"), label: "the best depth", shape: "square-open" }]));
    const ends = endsOf(answer);
    drawMap(map, answer, ends);
    depth.closest(".frame").hidden = !answer.depths.length;
    if (answer.depths.length) drawDepths(depth, answer, ends);
  }
  return { draw, chart: () => map, table: () => gains(last), sentence: () => sentences(last).join(" ") };
}

function sentences(answer) {
  return [...answer.sentences, ...answer.depth_sentences];
}

/** The place of a number of clients between those of the map, by doublings. */
function placeOf(counts, count) {
  const logs = counts.map(Math.log2);
  const at = Math.log2(count);
  let i = 0;
  while (i < logs.length - 2 && at > logs[i + 1]) i += 1;
  return logs.length < 2 ? 0 : i + (at - logs[i]) / (logs[i + 1] - logs[i]);
}

/** The least and the greatest gain that the colours tell apart. */
function endsOf({ gain, depths }) {
  const all = [...gain.flat(), ...depths.map((row) => row.gain_over_off)].filter(Number.isFinite);
  return [Math.min(-0.01, ...all), Math.max(0.01, ...all)];
}

function diverging(worst, best) {
  const zero = -worst / (best - worst);
  const [off, mtp, middle] = [colour("off-fill"), colour("mtp-fill"), colour("panel")];
  return [[0, off], [zero, middle], [1, mtp]];
}

function drawMap(chart, answer, [worst, best]) {
  const { concurrencies: counts, lengths, gain } = answer;
  const at = counts.map((_, i) => i);
  const cells = { x: at, y: lengths, z: gain };
  const edge = (row, end) => row[`acceptance_length${end}`] ?? (row.mtp_pays === "always" ? lengths[0] : lengths[lengths.length - 1]);
  const rows = answer.break_even;
  const xs = rows.map((row) => placeOf(counts, row.concurrency));
  const ink = colour("ink");
  const end = (name, show) => ({ type: "scatter", mode: "lines", x: xs, y: rows.map((row) => edge(row, name)), line: { color: ink, width: 1, dash: "dash" }, hoverinfo: "skip", showlegend: false, ...show });
  const traces = [
    { type: "heatmap", ...cells, zmin: worst, zmax: best, colorscale: diverging(worst, best), zsmooth: "best", colorbar: { thickness: 12, tickformat: "+.0%", outlinewidth: 0, len: 0.96 }, customdata: lengths.map(() => counts), hovertemplate: "%{customdata} clients, %{y:.2f} tokens per round: %{z:+.1%}<extra></extra>" },
...[[-0.75, -0.25], [0.25, 2]].map(([start, stop]) => ({ type: "contour", ...cells, showscale: false, showlegend: false, contours: { start, end: stop, size: 0.25, coloring: "none", showlabels: true, labelformat: "+.0%", labelfont: { size: 11, color: ink } }, line: { color: faded(ink, 0.35), width: 1 }, hoverinfo: "skip" })),
    end("_lo"),
    end("_hi", { fill: "tonexty", fillcolor: faded(ink, 0.12) }),
    { type: "scatter", mode: "lines+markers", x: xs, y: rows.map((row) => edge(row, "")), line: { color: ink, width: 3 }, marker: { size: 6, color: ink }, name: "break-even, with its 90 % interval", hoverinfo: "skip" },
    ...measuredPairs(answer, counts),
    ...ownLine(answer, at),
  ];
  const layout = layoutOf({
    xaxis: { title: { text: "Concurrency (clients)" }, tickvals: at, ticktext: counts.map(plain), showgrid: false, range: [0, at.length - 1], zeroline: false },
    yaxis: { title: { text: "Acceptance length (tokens per round)" }, showgrid: false, range: [lengths[0], lengths[lengths.length - 1]] },
    showlegend: false, margin: { l: 56, r: 10, t: 8, b: 40 },
  });
  plot(chart, traces, layout);
}

function measuredPairs(answer, counts) {
  const rows = answer.measured ?? [];
  if (!rows.length) return [];
  const ink = colour("ink");
  return [{
    type: "scatter", mode: "markers", x: rows.map((row) => placeOf(counts, row.concurrency)), y: rows.map((row) => row.acceptance_length), name: "measured pair",
    error_y: { type: "data", symmetric: false, array: rows.map((row) => row.hi - row.acceptance_length), arrayminus: rows.map((row) => row.acceptance_length - row.lo), color: ink, thickness: 1.2 },
    marker: { symbol: "circle", size: 10, color: colour("panel"), line: { color: ink, width: 2 } }, hovertemplate: "measured: %{y:.2f} tokens per round<extra></extra>",
  }];
}

function ownLine({ own }, at) {
  if (!own || !Number.isFinite(own.length)) return [];
  return [{ type: "scatter", mode: "lines", x: [at[0], at[at.length - 1]], y: [own.length, own.length], line: { color: colour("accent"), width: 2, dash: "dot" }, name: `in use: ${plain(own.length)}`, hoverinfo: "skip" }];
}

function drawDepths(chart, { depths: rows, best: chosen }, [worst, best]) {
  const counts = [...new Set(rows.map((row) => row.concurrency))].sort((a, b) => a - b);
  const depths = [...new Set(rows.map((row) => row.spec_tokens))].sort((a, b) => a - b);
  const gainAt = (k, count) => (k ? rows.find((row) => row.spec_tokens === k && row.concurrency === count)?.gain_over_off ?? null : 0);
  const gain = depths.map((k) => counts.map((count) => gainAt(k, count)));
  const at = counts.map((_, i) => i);
  const bests = chosen.map((row) => ({ x: counts.indexOf(row.concurrency), y: row.spec_tokens }));
  const traces = [
    { type: "heatmap", x: at, y: depths, z: gain, zmin: worst, zmax: best, colorscale: diverging(worst, best), showscale: false, xgap: 2, ygap: 2, text: gain.map((row) => row.map((value) => (Number.isFinite(value) ? percent(value) : ""))), texttemplate: "%{text}", textfont: { size: 11 }, customdata: depths.map(() => counts), hovertemplate: "%{customdata} clients, depth %{y}: %{z:+.1%}<extra></extra>" },
  ];
  const layout = layoutOf({
    xaxis: { title: { text: "Concurrency (clients)" }, tickvals: at, ticktext: counts.map(plain), showgrid: false, zeroline: false },
    yaxis: { title: { text: "Draft depth" }, tickvals: depths, ticktext: depths.map((k) => (k ? String(k) : "Off")), showgrid: false, zeroline: false },
    shapes: bests.map(({ x, y }) => ({ type: "rect", x0: x - 0.47, x1: x + 0.47, y0: y - 0.45, y1: y + 0.45, line: { color: colour("ink"), width: 2.5 } })), margin: { l: 50, r: 10, t: 8, b: 40 }, showlegend: false,
  });
  plot(chart, traces, layout);
}

function gains(answer) {
  const rows = answer.lengths.flatMap((length, i) => answer.concurrencies.map((count, k) => [count, length, answer.gain[i][k]]));
  return { columns: ["concurrency", "acceptance_length", "gain_over_off"], rows };
}
