// @ts-check
// The card beside a point: every column of its row, and what stands behind the series.

import { el, fill } from "./dom.js";
import { cellWords, columnWords, plain } from "./words.js";

const FIRST_COLUMNS = ["tp", "concurrency", "interactivity_tok_s_user", "total_tok_s_gpu", "p90_interactivity_tok_s_user", "output_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "mean_tpot_ms", "mean_ttft_ms", "bound_by", "scope", "method"];
const LAST_COLUMNS = ["scope_reasons", "calibration", "recipe", "checkpoint", "hardware", "model", "engine", "notes"];

/** A card that is hidden until it shows a row.
 * @returns {{root: any, show: (found: {title: string, values: any, series: any}, point: any, frame: any, chart: any) => void, hide: () => void}}
 */
export function hoverCard() {
  const root = el("div", { class: "hovercard", hidden: true, "aria-hidden": "true" });
  function show(found, point, frame, chart) {
    fill(root, ...cardOf(found));
    root.hidden = false;
    const box = frame.getBoundingClientRect();
    const own = chart.getBoundingClientRect();
    const at = own.left - box.left + point.xaxis._offset + point.xaxis.d2p(point.x);
    const left = at + root.offsetWidth + 18 < box.width ? at + 18 : Math.max(4, at - root.offsetWidth - 18);
    root.style.left = `${left}px`;
    root.style.top = `${Math.max(4, Math.min(box.height - root.offsetHeight - 4, 30))}px`;
  }
  return { root, show, hide: () => (root.hidden = true) };
}

function cardOf({ title, values, series }) {
  const names = Object.keys(values).filter((name) => values[name] !== null && values[name] !== undefined && !/_(lo|hi)$/.test(name));
  const order = [...FIRST_COLUMNS.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST_COLUMNS.includes(name) && !LAST_COLUMNS.includes(name))];
  const entry = (name) => [el("dt", {}, columnWords(name)), el("dd", {}, withEnds(values, name))];
  const behind = [series.calibration && `calibration ${series.calibration}`, series.recipe && `recipe ${series.recipe}`, series.checkpoint && `checkpoint ${series.checkpoint}`, series.source, values.scope_reasons?.length ? cellWords(values.scope_reasons) : null].filter(Boolean);
  return [el("h3", {}, title), el("dl", {}, ...order.flatMap(entry)), behind.length ? el("p", {}, behind.join("; ")) : null];
}

function withEnds(values, name) {
  const [low, high] = [values[`${name}_lo`], values[`${name}_hi`]];
  const own = cellWords(values[name]);
  return Number.isFinite(low) && Number.isFinite(high) ? `${own} (${plain(low)} to ${plain(high)})` : own;
}
