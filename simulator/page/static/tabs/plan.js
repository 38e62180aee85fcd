// @ts-check
// The tab Plan: promises and a rate in, the fewest GPUs that keep them out, and how sure that is. Computed live.

import { el, fill, table } from "../dom.js";
import { MOST } from "../state.js";
import { colour, layoutOf, onGround, plot } from "../theme.js";
import { plain, shown } from "../words.js";

export const planTab = { name: "plan", label: "Plan", kind: null, live: true, mount: mountPlan };

function mountPlan(root, page) {
  const promises = el("input", { type: "text", id: "plan-promises", spellcheck: "false", "aria-describedby": "plan-help" });
  const rate = el("input", { type: "number", id: "plan-rate", min: 0.01, max: 10000, step: "any" });
  const go = el("button", { type: "button", class: "primary", onclick: () => run() }, "Plan");
  const stop = el("button", { type: "button", class: "small", hidden: true, onclick: () => control?.abort() }, "Cancel");
  const bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress of the plan" });
  const told = el("span", { class: "dim", role: "status" });
  const wide = el("label", { class: "field wide" }, "Promises", promises);
  const form = el("div", { class: "form card" }, wide, el("label", { class: "field" }, "Requests per second", rate), go, stop, bar, told);
  const help = el("p", { class: "note", id: "plan-help" }, "Promises such as ttft-p99=2s, tpot-p95=25ms, e2e-p90=30s; separated by commas. Accelerator, model, lengths and drafts are those at the left.");
  const fault = el("div", { class: "fault", role: "alert" });
  const said = el("div", { class: "sentence" });
  const options = el("div", {});
  const confidence = el("div", {});
  const kept = el("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Promises of the plan" });
  const frame = (title, chart) => el("div", { class: "card frame" }, el("h2", {}, title), el("div", { class: "chart" }, chart));
  const frames = el("div", { class: "split", hidden: true }, frame("GPUs of every option", options), frame("How sure, with how many GPUs", confidence));
  fill(root, form, help, fault, said, frames, kept);
  let control = null;
  let last = null;

  promises.addEventListener("change", () => page.set({ promises: promises.value.split(",").map((one) => one.trim()).filter(Boolean).slice(0, MOST.promises) }));
  rate.addEventListener("change", () => Number(rate.value) > 0 && page.set({ rate: Number(rate.value) }));

  async function run() {
    control?.abort();
    const own = new AbortController();
    control = own;
    busy(true);
    fill(fault);
    try {
      last = await page.source.answer("plan", page.state, { signal: own.signal, progress: (line) => progressed(line) });
      show();
    } catch (problem) {
      if (!own.signal.aborted) fill(fault, el("p", { class: "message bad" }, problem.message));
      told.textContent = own.signal.aborted ? "Cancelled." : "";
    }
    if (control === own) busy(false);
  }
  function busy(on) {
    stop.hidden = bar.hidden = !on;
    go.disabled = on;
    if (on) {
      bar.removeAttribute("value");
      told.textContent = "";
    }
  }
  function progressed(line) {
    if (typeof line.part === "number") bar.value = line.part;
    told.textContent = line.progress ?? "";
  }
  function show() {
    frames.hidden = !last;
    if (!last) return;
    told.textContent = "";
    fill(said, el("p", {}, last.sentence), ...last.left_out.map((text) => el("p", { class: "dim" }, String(text))));
    frames.hidden = !last.winner;
    fill(kept, ...(last.winner ? [promiseTable(last.winner), optionTable(last)] : []));
    if (last.winner) {
      drawOptions(options, last, page.choices.colours);
      drawConfidence(confidence, last, page.choices.colours);
    }
    page.around(last);
  }
  function draw(_answer, state) {
    if (document.activeElement !== promises) promises.value = state.promises.join(", ");
    if (document.activeElement !== rate) rate.value = state.rate;
    show();
  }
  return { draw, chart: () => (last?.winner ? options : null), table: () => tabled(last), sentence: () => last?.sentence ?? "", answer: () => last };
}

const CONFIDENCE = 0.95;

function promiseTable(winner) {
  const rows = winner.promises.map((one) => [one.promise, plain(one.limit_ms), plain(one.reached_ms), Number.isFinite(one.reached_ms_lo) ? `${plain(one.reached_ms_lo)} to ${plain(one.reached_ms_hi)}` : "\u2013", Number.isFinite(one.probability) ? `${plain(100 * one.probability)} %` : "\u2013"]);
  return table("Promises of the plan", ["Promise", "limit (ms)", "reached (ms)", "90 % interval", "holds with"], rows);
}

function optionTable({ winner, runners_up: others }) {
  const rows = [winner, ...others].map((row) => [row.name, row.replicas, row.gpus, plain(row.usd_per_hour), `${plain(100 * row.headroom_to_knee)} %`, row === winner ? "the plan" : row.fails ?? ""]);
  return table("Options of the plan", ["Option", "replicas", "GPUs", "USD per hour", "headroom to the knee", ""], rows);
}

/** GPUs of every option; the chosen one is outlined. */
function drawOptions(chart, { winner, runners_up: others }, colours) {
  const rows = [winner, ...others];
  const tone = (row) => onGround(row.spec_tokens ? colours.mtp : colours.off);
  const traces = [{
    type: "bar", orientation: "h", x: rows.map((row) => row.gpus), y: rows.map((row) => shown(row.name)), marker: { color: rows.map(tone), line: { color: colour("ink"), width: rows.map((row) => (row === winner ? 2.5 : 0)) } },
    text: rows.map((row) => (row === winner ? `${row.gpus}: the plan` : String(row.gpus))), textposition: "outside", cliponaxis: false, textfont: { color: colour("soft"), size: 11.5 }, hoverinfo: "skip",
  }];
  const layout = layoutOf({
    bargap: 0.45, xaxis: { title: { text: "GPUs in all" }, range: [0, 1.35 * Math.max(...rows.map((row) => row.gpus))], zeroline: false }, yaxis: { autorange: "reversed", ticks: "", showgrid: false, tickfont: { size: 12, color: colour("ink") } }, margin: { l: 20, r: 12, t: 12, b: 42 }, showlegend: false,
  });
  plot(chart, traces, layout);
}

/** GPUs against the probability that all promises hold: the plan, and what is cheaper and less sure. */
function drawConfidence(chart, { confidence: found, winner }, colours) {
  const rows = found.filter((row) => Number.isFinite(row.probability_all_hold)).sort((a, b) => a.gpus - b.gpus);
  const asked = winner.confidence ?? CONFIDENCE;
  const tone = onGround(winner.spec_tokens ? colours.mtp : colours.off);
  const least = Math.min(asked, ...rows.map((row) => row.probability_all_hold));
  const low = Math.max(0, Math.floor((least - 0.03) * 20) / 20);
  const traces = [{
    type: "scatter", mode: "lines+markers+text", x: rows.map((row) => row.gpus), y: rows.map((row) => row.probability_all_hold), text: rows.map((row) => shown(`${row.replicas} x ${row.name}: ${(100 * row.probability_all_hold).toFixed(1)} %`)), textposition: rows.map((_, i) => (i ? "middle left" : "bottom right")), textfont: { size: 11.5, color: colour("ink") },
    line: { color: tone, width: 2 }, marker: { color: tone, size: 12, line: { color: colour("panel"), width: 1.5 } }, hoverinfo: "skip", cliponaxis: false,
  }];
  const gpus = rows.map((row) => row.gpus);
  const layout = layoutOf({
    xaxis: { title: { text: "GPUs in all" }, range: [Math.min(...gpus) - 1.5, Math.max(...gpus) + 1.5], dtick: Math.max(1, Math.ceil((Math.max(...gpus) - Math.min(...gpus) + 3) / 8)) }, yaxis: { title: { text: "All promises hold with" }, tickformat: ".0%", range: [low - 0.1 * (1 - low), 1 + 0.06 * (1 - low)] },
    shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: asked, y1: asked, line: { color: colour("ink"), width: 1, dash: "dash" } }],
    annotations: [{ xref: "paper", x: 0.99, y: asked, text: `asked: ${plain(100 * asked)} %`, showarrow: false, xanchor: "right", yanchor: "bottom", font: { size: 11, color: colour("soft") } }], margin: { l: 62, r: 20, t: 12, b: 44 }, showlegend: false,
  });
  plot(chart, traces, layout);
}

function tabled(answer) {
  const rows = answer ? [answer.winner, ...answer.runners_up].filter(Boolean) : [];
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => rows.every((row) => typeof row[name] !== "object" || row[name] === null || row[name] === undefined));
  return { columns, rows: rows.map((row) => columns.map((name) => row[name] ?? null)) };
}
