// @ts-check
// Which of the series a tab explains: accelerator, depth, replica size and clients.

import { el, fill } from "./dom.js";
import { tpOf } from "./state.js";
import { depthWords } from "./words.js";

/** A row of choices above a chart.
 * @param {any} page @param {string} kind of answer @param {string[]} names of `why_...` fields without that beginning
 * @returns {{root: HTMLElement, show: (state: any, answer: any) => void}}
 */
export function whichOf(page, kind, names, ...more) {
  const words = { hardware: "Accelerator", mtp: "Drafts", tp: "TP", concurrency: "Clients" };
  const labels = new Map(page.choices.hardware.map((one) => [one.name, one.label]));
  const options = {
    hardware: (state) => state.hardware.map((name) => [name, labels.get(name) ?? name]),
    mtp: (state) => state.mtp.map((depth) => [depth, depthWords(depth)]),
    tp: (state) => state.sweep.map(tpOf).map((tp) => [tp, String(tp)]),
    concurrency: (state, answer) => clients(state, answer).map((count) => [count, String(count)]),
  };
  const fields = names.map((name) => {
    const select = el("select", { id: `${kind}-${name}`, onchange: () => page.set({ [`why_${name}`]: name === "hardware" ? select.value : Number(select.value) }) });
    return { name, select, root: el("label", { class: "field" }, words[name], select) };
  });
  const root = el("div", { class: "form card" }, ...fields.map((field) => field.root), ...more);
  function clients(state, answer) {
    const own = answer?.clients ?? [4, 8, 16, 32, 64, 128, 256];
    return [...new Set([...own, state.why_concurrency])].sort((a, b) => a - b);
  }
  function show(state, answer) {
    for (const { name, select } of fields) {
      const list = options[name](state, answer);
      const held = (value) => page.source.live || page.source.has(kind, `why_${name}`, value) || String(value) === String(chosen(name, state, answer));
      fill(select, ...list.map(([value, label]) => el("option", { value, disabled: !held(value) }, label)));
      select.value = String(chosen(name, state, answer));
    }
  }
  return { root, show };
}

function chosen(name, state, answer) {
  const stated = state[`why_${name}`];
  const automatic = { hardware: "", mtp: -1, tp: 0 }[name];
  return stated === automatic ? answer?.[name] ?? answer?.which?.[name] ?? stated : stated;
}
