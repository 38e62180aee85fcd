// @ts-check
// The tab Agentic: what live sessions of agents get of a replica with its prefix cache, over their number.

import { hoverCard } from "../card.js";
import { el, fill, keys, table } from "../dom.js";
import { looksOf } from "../looks.js";
import { NEEDS_SERVE } from "../source.js";
import { MOST } from "../state.js";
import { colour, faded, layoutOf, plot } from "../theme.js";
import { plain, shown } from "../words.js";
import { whichOf } from "../which.js";

const THROUGHPUT = "total_tok_s_gpu";
const SPEED = "p90_interactivity_tok_s_user";
const RATIOS = [0, 0.5, 1, 1.5, 2, 3, 5, 8];
const READ = [THROUGHPUT, SPEED, "mean_ttft_ms", "mean_tpot_ms", "hit_rate_gpu", "hit_rate_host", "hit_rate_ideal", "queued_share", "cost_usd_per_mtok", "bound_by"];
const HEADS = ["tok/s/GPU", "P90 tok/s/user", "TTFT (ms)", "TPOT (ms)", "hits GPU", "hits host", "ideal", "queued", "USD/M tokens", "bound by"];

export const agenticTab = { name: "agentic", label: "Agentic", kind: "agentic", live: false, banded: true, mount: mountAgentic };

function mountAgentic(root, page) {
  const form = formOf(page);
  const titles = ["Throughput (tok/s/GPU)", "P90 interactivity (tok/s/user)", "Hit rates of input tokens"];
  const card = hoverCard();
  const charts = el("div", { class: "split three" });
  const panels = titles.map((title) => chartOf(title, card, charts));
  fill(charts, ...panels.map((one) => one.root), card.root);
  const said = el("div", { class: "sentence columns" });
  const rows = el("div", { class: "card scroll readings", tabindex: 0, role: "region", "aria-label": "Live sessions as a table" });
  fill(root, form.root, charts, said, rows);
  let last = null;

  function draw(answer, state) {
    last = answer;
    form.show(state, answer);
    const looks = looksOf(answer.series, page.choices.colours, state.hardware);
    const several = state.hardware.length > 1;
    const named = (one) => (several ? one.label : looks.get(one.id).name);
    const series = answer.series.map((one) => ({ ...one, ...looks.get(one.id), name: named(one), records: recordsOf(one) }));
    const lines = series.map((one) => ({ colour: one.colour, label: one.name, shape: `line ${one.dash}` }));
    const hosts = series.some((one) => one.records.some((row) => row.hit_rate_host !== null));
    const ink = colour("soft");
    const more = [...(hosts ? [{ colour: ink, label: "of it on GPUs", shape: "line dash" }] : []), { colour: ink, label: "ideal", shape: "line dot" }];
    panels[0].draw(series, series.flatMap((one) => banded(one, THROUGHPUT)), lines, { rangemode: "tozero", tickformat: ",~r" });
    panels[1].draw(series, series.flatMap((one) => banded(one, SPEED)), lines, { type: "log", tickformat: ",~r", dtick: "D2" });
    panels[2].draw(series, [...series.slice(0, 1).flatMap(ideal), ...series.flatMap((one) => found(one, hosts))], [...lines, ...more], { range: [-0.03, 1.03], tickformat: ".0%" });
    fill(said, ...sentences(answer).map((text) => el("p", {}, text)), ...[...answer.memory, ...answer.left_out].map((text) => el("p", { class: "dim" }, text)));
    fill(rows, tableOf(series));
  }
  return { draw, chart: () => panels[0].chart, table: () => exported(last), sentence: () => (last ? sentences(last).join("; ") : "") };
}

function sentences(answer) {
  return answer.sentences ?? [];
}

function recordsOf(one) {
  return one.rows.map((row) => Object.fromEntries(one.columns.map((name, i) => [name, row[i]])));
}

/** Sessions, replica size, prefix cache and host memory. */
function formOf(page) {
  const held = (name, value) => page.source.live || page.source.has("agentic", name, value);
  const counts = el("input", { type: "text", id: "agentic-concurrency", spellcheck: "false", inputmode: "numeric", onchange: () => typed() });
  const cache = el("select", { id: "agentic-cache", onchange: () => page.set({ agentic_prefix_cache: cache.value, ...(cache.value === "off" ? { agentic_host_cache_ratio: 0 } : {}) }) });
  const hosts = el("select", { id: "agentic-hosts", onchange: () => page.set({ agentic_host_cache_ratio: Number(hosts.value) }) });
  const window = el("span", { class: "note" });
  const field = (label, input) => el("label", { class: "field" }, label, input);
  const which = whichOf(page, "agentic", ["tp"], field("Live sessions", counts), field("Prefix cache", cache), field("Host memory over GPU memory", hosts), window);
  function typed() {
    const values = counts.value.split(",").map((one) => Number(one.trim()));
    const good = [...new Set(values)].filter((one) => Number.isInteger(one) && one > 0).sort((a, b) => a - b);
    if (good.length) page.set({ agentic_concurrency: good.slice(0, MOST.agentic_concurrency) });
    else counts.value = page.state.agentic_concurrency.join(", ");
  }
  function options(select, name, values, words) {
    fill(select, ...values.map((value) => el("option", { value, disabled: !held(name, value) }, held(name, value) ? words(value) : `${words(value)} (${NEEDS_SERVE})`)));
  }
  function show(state, answer) {
    which.show(state, answer);
    if (document.activeElement !== counts) counts.value = state.agentic_concurrency.join(", ");
    counts.disabled = !page.source.live;
    counts.title = page.source.live ? "Numbers of live session trees, separated by commas" : NEEDS_SERVE;
    options(cache, "agentic_prefix_cache", ["on", "off"], (value) => value);
    cache.value = state.agentic_prefix_cache;
    const ratio = state.agentic_host_cache_ratio;
    options(hosts, "agentic_host_cache_ratio", [...new Set([...RATIOS, ratio])].sort((a, b) => a - b), (value) => (value ? `${value} x` : "none"));
    hosts.value = String(ratio);
    hosts.disabled = state.agentic_prefix_cache === "off";
    window.textContent = answer ? `The recorded sessions that ship, sent for ${answer.duration}; throughput counts cached input, and the tokens in and out at the left play no part.` : "";
  }
  return { root: which.root, show };
}

/** A chart over live sessions; the card of all columns has room beside all charts. */
function chartOf(title, card, charts) {
  const chart = el("div", {});
  const legend = el("div", {});
  const root = el("div", { class: "card frame" }, el("h2", {}, title), legend, el("div", { class: "chart" }, chart));
  let shownRows = [];
  function draw(series, traces, marks, axis) {
    shownRows = traces.map((trace) => trace.records ?? null);
    fill(legend, keys(marks));
    const counts = [...new Set(series.flatMap((one) => one.records.map((row) => row.concurrency)))].sort((a, b) => a - b);
    const layout = layoutOf({
      xaxis: { title: { text: "Live sessions" }, type: "log", tickvals: counts, ticktext: counts.map(plain) }, yaxis: { title: { text: "" }, ...axis }, showlegend: false, margin: { l: 46, r: 10, t: 8, b: 40 },
    });
    plot(chart, traces.map(({ records, ...trace }) => trace), layout);
    if (chart.dataset.listens) return;
    chart.dataset.listens = "true";
    chart.on("plotly_hover", (event) => hovered(event.points[0]));
    chart.on("plotly_unhover", card.hide);
    root.addEventListener("mouseleave", card.hide);
  }
  function hovered(point) {
    const found = shownRows[point.curveNumber]?.[point.pointNumber];
    if (found) card.show(found, point, charts, chart);
  }
  return { root, chart, draw };
}

function lineOf(one, value, more = {}) {
  const known = one.records.filter((row) => Number.isFinite(value(row)));
  const { line, ...rest } = more;
  return {
    type: "scatter", mode: "lines+markers", name: shown(one.name), x: known.map((row) => row.concurrency), y: known.map(value), line: { color: one.colour, width: 2.4, dash: one.dash, ...line }, marker: { color: one.colour, size: 8 }, hoverinfo: "none",
    records: known.map((row) => ({ title: `${one.label}, ${row.concurrency} live session${row.concurrency === 1 ? "" : "s"}`, values: row, series: { ...one, source: one.acceptance_source } })), ...rest,
  };
}

function banded(one, name) {
  const known = one.records.filter((row) => Number.isFinite(row[`${name}_lo`]));
  const edge = (end, more) => ({ type: "scatter", mode: "lines", x: known.map((row) => row.concurrency), y: known.map((row) => row[`${name}_${end}`]), line: { width: 0, color: one.colour }, hoverinfo: "skip", showlegend: false, ...more });
  const band = known.length ? [edge("lo", {}), edge("hi", { fill: "tonexty", fillcolor: faded(one.colour, 0.14) })] : [];
  return [...band, lineOf(one, (row) => row[name])];
}

/** What of the prompts is found in all, and where hosts keep some what the GPUs alone have. */
function found(one, hosts) {
  const all = lineOf(one, (row) => row.hit_rate_gpu + (row.hit_rate_host ?? 0));
  return hosts ? [all, lineOf(one, (row) => row.hit_rate_gpu, { mode: "lines", line: { dash: "dash", width: 1.6 }, name: shown(`${one.name}, GPUs`) })] : [all];
}

/** What an endless cache would find; alike for all series, up to their luck. */
function ideal(one) {
  const line = lineOf(one, (row) => row.hit_rate_ideal, { mode: "lines", name: "ideal" });
  return [{ ...line, line: { color: colour("soft"), width: 1.6, dash: "dot" } }];
}

function tableOf(series) {
  const part = (value) => (Number.isFinite(value) ? `${plain(100 * value)} %` : "–");
  const cell = (row, name) => (/^hit_|_share$/.test(name) ? part(row[name]) : plain(row[name]));
  const rows = series.flatMap((one) => one.records.map((row) => [dotted(one), row.concurrency, ...READ.map((name) => cell(row, name))]));
  return table("What live sessions get", ["Series", "sessions", ...HEADS], rows);
}

function dotted(one) {
  const dot = el("span", { class: "dot" });
  dot.style.background = one.colour;
  return el("span", {}, dot, one.name);
}

function exported(answer) {
  const series = answer?.series ?? [];
  const columns = ["series", ...new Set(series.flatMap((one) => one.columns))];
  return { columns, rows: series.flatMap((one) => recordsOf(one).map((row) => columns.map((name) => (name === "series" ? one.label : row[name] ?? null)))) };
}
