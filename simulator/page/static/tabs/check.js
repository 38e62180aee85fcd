// @ts-check
// The tab Check: a reader's rows with a verdict each, linked to their points on the curve.

import { el, fill, keys } from "../dom.js";
import { colour, layoutOf, onGround, plot } from "../theme.js";
import { NEEDS_SERVE } from "../source.js";
import { cellWords, plain, shown } from "../words.js";

const MOST_BYTES = 2_000_000;
const SHOWN_COLUMNS = ["tp", "concurrency", "total_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms", "mean_ttft_ms", "median_ttft_ms"];
const COLUMN_WORDS = { tp: "TP", concurrency: "clients", total_tok_s_gpu: "tok/s/GPU", mean_tpot_ms: "mean TPOT", median_tpot_ms: "median TPOT", mean_ttft_ms: "mean TTFT", median_ttft_ms: "median TTFT" };

export const checkTab = { name: "check", label: "Check", kind: null, live: false, mount: mountCheck };

function mountCheck(root, page) {
  const { live } = page.source;
  const input = el("input", { type: "file", accept: ".csv,.json,.jsonl,.yaml,.yml,.txt,text/csv,application/json", id: "check-file", disabled: !live, onchange: () => input.files[0] && read(input.files[0]) });
  const known = el("input", { type: "text", id: "check-known", spellcheck: "false", maxlength: 2000, placeholder: "hardware=h200 tp=4 precision=fp8 engine=vllm", disabled: !live, onchange: () => last && read(last) });
  const pasted = el("textarea", { id: "check-paste", rows: 2, spellcheck: "false", disabled: !live, oninput: () => pasted.value.trim() && read(new File([pasted.value], "pasted")) });
  const drop = el("div", { class: "drop" }, el("label", { for: "check-file" }, live ? "Drop a result file here, as the benchmark tool wrote it or as our CSV, or choose one: " : `Another file ${NEEDS_SERVE}: `), input, live && el("p", {}, el("label", { for: "check-paste" }, "Or paste its text: "), pasted), live && el("p", {}, el("label", { for: "check-known" }, "What the file does not hold: "), known), el("p", { class: "note" }, live ? "It is read by the same strict reader as mtpsim validate, judged, and not kept." : "The rows below came with this page."));
  let last = null;
  const fault = el("div", { class: "fault", role: "alert" });
  const head = el("div", { class: "sentence" });
  const chart = el("div", {});
  const legend = el("div", {});
  const frame = el("div", { class: "card frame", hidden: true }, el("h2", {}, "Distance from what is expected, in half-widths of the 90 % interval"), legend, el("div", { class: "chart" }, chart));
  const rows = el("div", { class: "card scroll wrap", tabindex: 0, role: "region", "aria-label": "Rows with their verdicts" });
  fill(root, drop, fault, head, frame, rows);

  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    if (live) drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file && live) read(file);
  });

  async function read(file) {
    last = file;
    fill(fault);
    root.setAttribute("aria-busy", "true");
    try {
      if (file.size > MOST_BYTES) throw new Error(`${file.name} has ${plain(file.size)} bytes; at most ${plain(MOST_BYTES)} are read.`);
      page.check = await page.source.answer("check", { name: file.name, text: await file.text(), known: known.value });
      show();
    } catch (problem) {
      page.check = null;
      show();
      fill(fault, ...String(problem.message).split("\n").map((line) => el("p", { class: "message bad" }, line)));
    }
    root.setAttribute("aria-busy", "false");
  }

  function show() {
    const { check } = page;
    frame.hidden = !check;
    if (!check) return fill(head), fill(rows);
    fill(head, el("p", {}, badge(check.verdict), " ", check.sentence.replace(`${check.verdict}: `, "")), ...check.findings.map((one) => el("p", {}, badge(one.severity), " ", one.message)));
    fill(legend, drawWidths(chart, check, page.choices.colours));
    fill(rows, listing(check));
    page.around(check);
  }

  function listing(check) {
    const found = check.rows;
    const known = SHOWN_COLUMNS.filter((name) => found.some((row) => Number.isFinite(row[name])));
    const header = ["line", "verdict", "drafts", ...known.map((name) => COLUMN_WORDS[name]), "why", ""];
    const body = found.map((row) => {
      const pick = el("button", { type: "button", class: "plainbutton", onclick: () => select(row), "aria-label": `Show line ${row.line} on the curve` }, "show");
      const cells = [row.line, badge(row.verdict), row.spec === "mtp" ? "MTP" : row.spec === "off" ? "Off" : "\u2013", ...known.map((name) => cellWords(row[name])), row.reasons.length ? el("span", { class: "reasons" }, row.reasons.join("; ")) : "", pick];
      return el("tr", {}, ...cells.map((cell, i) => el("td", { class: (i === 0 || (i > 2 && i < 3 + known.length)) && "number" }, cell)));
    });
    return el("table", {}, el("caption", { class: "hidden" }, "Rows with their verdicts"), el("thead", {}, el("tr", {}, ...header.map((name) => el("th", { scope: "col" }, name || el("span", { class: "hidden" }, "Curve"))))), el("tbody", {}, ...body));
  }
  function select(row) {
    page.selected = row;
    page.set({ tab: "curve", ...placeOf(row, page.state) });
  }
  /** The rows that the server began with, if any. */
  async function began() {
    try {
      const found = await page.source.answer("check", {});
      if (page.check || !found.rows.length) return;
      page.check = found;
      show();
    } catch {
      // a file can still be dropped
    }
  }
  if (live) began();
  return {
    draw: show,
    chart: () => (page.check ? chart : null),
    table: () => tabled(page.check),
    sentence: () => page.check?.sentence ?? "",
    answer: () => page.check,
  };
}

/** What of the state must change for the curve to be that of a row. */
function placeOf(row, state) {
  const stated = { hardware: row.hardware && !state.hardware.includes(row.hardware) ? [row.hardware] : null, isl: row.isl, osl: row.osl };
  return Object.fromEntries(Object.entries(stated).filter(([, value]) => value));
}

/** Columns of a check's rows that are one value each, and the reasons as one text. */
function tabled(check) {
  if (!check) return { columns: [], rows: [] };
  const columns = [...new Set(check.rows.flatMap((row) => Object.keys(row)))].filter((name) => name !== "expected");
  const value = (row, name) => row[name] ?? null;
  return { columns, rows: check.rows.map((row) => columns.map((name) => value(row, name))) };
}

function badge(word) {
  return el("span", { class: "verdict", "data-word": word }, word);
}

const MOST_WIDTHS = 6;
const SHAPES = ["circle", "square", "diamond", "triangle-up", "cross"];

/** How far every measured value is from the expected one: inside the band it is as expected, beyond the edge it is written. */
function drawWidths(chart, check, colours) {
  const metrics = [...new Set(check.rows.flatMap((row) => Object.keys(row.expected ?? {})))];
  const tones = colours.series;
  const traces = metrics.map((metric, i) => {
    const own = check.rows.filter((row) => Number.isFinite(row.expected?.[metric]?.widths));
    return {
      type: "scatter", mode: "markers+text", textposition: "middle right", textfont: { color: colour("ink") }, cliponaxis: false, name: shown(COLUMN_WORDS[metric] ?? metric), x: own.map((row) => `line ${row.line}`), y: own.map((row) => Math.max(-MOST_WIDTHS, Math.min(MOST_WIDTHS, row.expected[metric].widths))), text: own.map((row) => (Math.abs(row.expected[metric].widths) > MOST_WIDTHS ? plain(row.expected[metric].widths) : "")), hovertext: own.map((row) => shown(`${metric}: measured ${plain(row.expected[metric].measured)}, expected ${plain(row.expected[metric].predicted)}`)),
      hovertemplate: "%{x}<br>%{hovertext}<extra></extra>", marker: { size: 9, symbol: SHAPES[i % 5], color: onGround(tones[i % tones.length]) },
    };
  });
  const layout = layoutOf({
    xaxis: { type: "category", title: { text: "" } }, yaxis: { title: { text: "half-widths (positive: slower)" }, zeroline: true, zerolinecolor: colour("soft"), range: [-MOST_WIDTHS - 0.4, MOST_WIDTHS + 0.4] },
    shapes: [{ type: "rect", xref: "paper", x0: 0, x1: 1, y0: -1, y1: 1, fillcolor: colour("accent"), opacity: 0.1, line: { width: 0 }, layer: "below" }],
    showlegend: false, margin: { l: 50, r: 24, t: 8, b: 40 },
  });
  plot(chart, traces, layout);
  return keys(metrics.map((metric, i) => ({ colour: onGround(tones[i % tones.length]), label: COLUMN_WORDS[metric] ?? metric, shape: SHAPES[i % 5] })));
}
