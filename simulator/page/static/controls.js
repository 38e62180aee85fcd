// @ts-check
// The settings at the left. Every control writes one field of the state; `show` writes the state into the controls.

import { el, fill } from "./dom.js";
import { MOST, acceptanceOf, same, tpOf } from "./state.js";
import { NEEDS_SERVE } from "./source.js";
import { axisWords, plain } from "./words.js";

const STEP = 0.05;
const FEW = 6;
const AUTOMATIC = "automatic";
const WHOLE_RANGE = "4..256";

/** Build the settings.
 * @param {HTMLElement} root @param {any} page with `state`, `choices`, `source`, `sizes()` and `set(change, options)`
 * @returns {(state: any, answer: any) => void} shows a state and, where there is one, the curve's answer to it
 */
export function controlsOf(root, page) {
  const { choices, source } = page;
  const parts = [
    accelerators(page),
    menu(page, "model", "Model", () => choices.models.map(named)),
    precision(page),
    sequence(page),
    depths(page),
    acceptance(page),
    axes(page),
    replicas(page),
    launch(page),
  ];
  fill(root, ...parts.map((part) => part.root));
  if (!source.live) root.append(el("p", { class: "note" }, `What is dashed or grey ${NEEDS_SERVE}: live answers for any value.`));
  return (state, answer) => parts.forEach((part) => part.show(state, answer));
}

function named(one) {
  return { value: one.name, label: one.label };
}

/** Chips of which several may be chosen, at least one always is. */
function chips(page, name, title, options, { most = 9, list = () => options } = {}) {
  const box = el("div", { class: "chips" });
  const root = el("fieldset", { "data-control": name }, el("legend", {}, title), box);
  let drawn = null;
  function show(state) {
    const now = list(state);
    if (!same(now, drawn)) {
      fill(box, ...now.map((option) => chip("checkbox", name, option, (on) => toggled(option.value, on))));
      drawn = now;
    }
    for (const [i, input] of [...box.querySelectorAll("input")].entries()) {
      const { value } = now[i];
      input.checked = state[name].includes(value);
      needsServe(input, input.checked || page.source.has("curve", name, value));
    }
  }
  function toggled(value, on) {
    const chosen = page.state[name].filter((one) => one !== value);
    const order = list(page.state).map((option) => option.value);
    const next = on ? [...chosen, value].slice(-most) : chosen;
    if (!next.length) return show(page.state);
    page.set({ [name]: name === "hardware" ? next : next.sort((a, b) => order.indexOf(a) - order.indexOf(b)) });
  }
  return { root, show };
}

/** Of many accelerators the chosen ones, and a list to add one to them. */
function accelerators(page) {
  const every = page.choices.hardware.map(named);
  const few = every.length <= FEW;
  const chosen = chips(page, "hardware", "Accelerators, to compare", every, { most: MOST.hardware, list: (state) => (few ? every : state.hardware.map((name) => every.find((one) => one.value === name) ?? { value: name, label: name })) });
  if (few) return chosen;
  const select = el("select", { id: "control-add", "aria-label": "Add an accelerator", onchange: () => page.set({ hardware: [...page.state.hardware, select.value].slice(-MOST.hardware) }) });
  chosen.root.append(el("div", { class: "add" }, select));
  function show(state) {
    chosen.show(state);
    const rest = every.filter((one) => !state.hardware.includes(one.value));
    const able = (one) => page.source.has("curve", "hardware", one.value);
    fill(select, el("option", { value: "", disabled: true }, "add another …"), ...rest.map((one) => el("option", { value: one.value, disabled: !able(one) }, able(one) ? one.label : `${one.label} (${NEEDS_SERVE})`)));
    select.value = "";
  }
  return { root: chosen.root, show };
}

function chip(type, name, option, changed) {
  const input = el("input", { type, name: `chip-${name}`, value: option.value, onchange: () => changed(input.checked) });
  return el("label", { class: "chip" }, input, el("span", {}, option.label));
}

/** A list of which one is chosen. */
function menu(page, name, title, options, read = (text) => text) {
  const select = el("select", { id: `control-${name}`, onchange: () => page.set({ [name]: read(select.value) }) });
  const root = el("div", { "data-control": name }, el("label", { class: "label", for: `control-${name}` }, title), select);
  let drawn = null;
  function show(state) {
    const now = options(state).map((option) => {
      const able = option.value === state[name] || option.always || page.source.has("curve", name, option.value);
      return { ...option, able, label: able ? option.label : `${option.label} (${NEEDS_SERVE})` };
    });
    if (!same(now, drawn)) {
      fill(select, ...now.map((option) => el("option", { value: option.value, disabled: !option.able }, option.label)));
      drawn = now;
    }
    select.value = String(state[name]);
    select.title = select.selectedOptions[0]?.textContent ?? "";
  }
  return { root, show };
}

function single(page, name, title, options) {
  const box = el("div", { class: "chips" }, ...options.map((option) => chip("radio", name, option, () => page.set(option.change))));
  const root = el("fieldset", { "data-control": name }, el("legend", {}, title), box);
  function show(state) {
    for (const [i, input] of [...box.querySelectorAll("input")].entries()) {
      const own = Object.entries(options[i].change);
      input.checked = own.every(([key, value]) => same(state[key], value));
      needsServe(input, input.checked || own.every(([key, value]) => page.source.has("curve", key, value)));
    }
  }
  return { root, show };
}

function precision(page) {
  const options = ["", ...page.choices.precisions].map((value) => ({ value, label: value ? value.toUpperCase() : "auto", change: { precision: value, checkpoint: "" } }));
  const control = single(page, "precision", "Precision of the weights", options);
  function show(state) {
    control.show(state);
    const known = page.choices.models.find((one) => one.name === state.model)?.checkpoints.map((one) => one.precision) ?? [];
    for (const [i, input] of [...control.root.querySelectorAll("input")].entries()) {
      input.closest("label").hidden = i > 0 && !known.includes(options[i].change.precision);
    }
  }
  return { root: control.root, show };
}

function sequence(page) {
  const options = page.choices.presets.map(({ isl, osl, label }) => ({ value: label, label, change: { isl, osl } }));
  const presets = single(page, "sequence", "Tokens in / out", options);
  const fields = ["isl", "osl"].map((name) => {
    const label = name === "isl" ? "In" : "Out";
    const input = el("input", { type: "number", min: 1, max: 131072, step: 1, id: `control-${name}`, onchange: () => changed(name, input) });
    return { name, input, root: el("label", { class: "note" }, label, input) };
  });
  function changed(name, input) {
    const value = Number(input.value);
    if (Number.isInteger(value) && value > 0) page.set({ [name]: value });
    else input.value = page.state[name];
  }
  presets.root.append(el("div", { class: "pair" }, ...fields.map((field) => field.root)));
  function show(state) {
    presets.show(state);
    for (const { name, input } of fields) {
      if (document.activeElement !== input) input.value = state[name];
      needsServe(input, page.source.live);
    }
  }
  return { root: presets.root, show };
}

function depths(page) {
  const list = (state) => {
    const model = page.choices.models.find((one) => one.name === state.model);
    const most = Math.max(model?.max_mtp ?? 0, ...state.mtp);
    return Array.from({ length: most + 1 }, (_, depth) => ({ value: depth, label: depth ? String(depth) : "Off" }));
  };
  return chips(page, "mtp", "Drafts: Off, or MTP depth", [], { most: MOST.mtp, list });
}

function acceptance(page) {
  const kinds = ["fitted", "length", "rate", "profile"];
  const words = { fitted: "as fitted or published", length: "tokens per round", rate: "rate per draft", profile: "a profile" };
  const select = el("select", { id: "control-acceptance", "aria-label": "Acceptance of drafts, as", onchange: () => chosen(select.value) }, ...kinds.map((kind) => el("option", { value: kind }, words[kind])));
  const range = el("input", { type: "range", id: "acceptance-slider", "aria-label": "Acceptance", oninput: () => moved(true), onchange: () => moved(false) });
  const band = el("span", { class: "band" });
  const mark = el("span", { class: "fitted" });
  const value = el("output", { for: "acceptance-slider" });
  const back = el("button", { type: "button", class: "plainbutton", onclick: () => page.set({ acceptance: "fitted" }) }, "reset");
  const profile = el("select", { id: "control-profile", "aria-label": "Acceptance profile", onchange: () => page.set({ acceptance: `profile:${profile.value}` }) }, ...page.choices.acceptance_profiles.map((one) => el("option", { value: one.name }, one.name)));
  const note = el("p", { class: "note", id: "acceptance-note" });
  const slider = el("div", { class: "slider" }, range, band, mark, note);
  const root = el("fieldset", { "data-control": "acceptance" }, el("legend", {}, "Acceptance of drafts"), select, el("div", { class: "line" }, value, back), slider, profile);
  let fitted = { length: null, interval: null, source: "" };
  let depth = 0;

  function moved(drag) {
    const rate = acceptanceOf(page.state.acceptance).kind === "rate";
    const wanted = rate ? Number(range.value).toFixed(2) : Number(range.value).toFixed(2).replace(/0$/, "");
    page.set({ acceptance: within(`${rate ? "rate" : "length"}:${wanted}`) }, { drag });
  }
  /** Of a file the value nearest to the wanted one. */
  function within(text) {
    const held = page.source.values(page.kind(), page.state, "acceptance");
    if (!held) return text;
    const { kind, value: wanted } = acceptanceOf(text);
    const able = held.filter((one) => acceptanceOf(one).kind === kind);
    const away = (one) => Math.abs(Number(acceptanceOf(one).value) - Number(wanted));
    return able.reduce((best, one) => (best === null || away(one) < away(best) ? one : best), null) ?? page.state.acceptance;
  }
  function chosen(kind) {
    const start = { fitted: "fitted", length: `length:${plainStep(fitted.length ?? (depth + 2) / 2)}`, rate: "rate:0.75", profile: `profile:${profile.value}` };
    page.set({ acceptance: within(start[kind]) });
  }
  function show(state, answer) {
    depth = Math.max(0, ...state.mtp);
    const series = (answer?.series ?? []).find((one) => one.mtp === depth);
    const { kind, value: text } = acceptanceOf(state.acceptance);
    fitted = answer?.acceptance?.[depth] ?? fitted;
    for (const option of select.options) {
      const held = page.source.values(page.kind(), state, "acceptance");
      option.disabled = held !== null && !held.some((one) => acceptanceOf(one).kind === option.value);
    }
    select.value = kind;
    select.disabled = profile.disabled = !depth;
    profile.hidden = kind !== "profile";
    slider.hidden = kind === "profile";
    if (kind === "profile") profile.value = text;
    back.hidden = kind === "fitted";
    const rate = kind === "rate";
    Object.assign(range, rate ? { min: 0, max: 1, step: 0.01 } : { min: 1, max: Math.max(2, depth + 1), step: STEP });
    const now = kind === "fitted" || kind === "profile" ? series?.acceptance_length ?? fitted.length : Number(text);
    if (now !== null && now !== undefined && document.activeElement !== range) range.value = String(now);
    const steps = page.source.values(page.kind(), state, "acceptance");
    range.disabled = !depth || (steps !== null && !steps.some((one) => acceptanceOf(one).kind === (rate ? "rate" : "length")));
    value.textContent = !depth ? "no drafts" : now === null || now === undefined ? "" : rate ? `${Number(now).toFixed(2)} accepted` : `${Number(now).toFixed(2)} tokens per round`;
    range.setAttribute("aria-valuetext", value.textContent);
    place(rate);
    note.textContent = !depth ? "" : range.disabled ? NEEDS_SERVE : noteOf(fitted);
  }
  function place(rate) {
    mark.hidden = rate || !depth || fitted.length === null;
    band.hidden = mark.hidden || !fitted.interval;
    const at = (length) => `calc(8px + (100% - 16px) * ${Math.min(1, Math.max(0, (length - 1) / Math.max(1, depth)))})`;
    if (!mark.hidden) mark.style.left = at(fitted.length);
    if (!band.hidden) {
      band.style.left = at(fitted.interval[0]);
      band.style.width = `calc((100% - 16px) * ${Math.max(0, Math.min(depth + 1, fitted.interval[1]) - fitted.interval[0]) / Math.max(1, depth)})`;
    }
  }
  return { root, show };
}

function noteOf({ length, interval, source }) {
  if (length === null) return "";
  return `mark: ${plain(length)}${interval ? ` (90 %: ${plain(interval[0])} to ${plain(interval[1])})` : ""}, ${source}`;
}

function plainStep(length) {
  return String(Math.round(length / STEP) * STEP).slice(0, 4);
}

function axes(page) {
  const metrics = page.choices.metrics.map((metric) => ({ value: metric.name, label: axisWords(metric), always: true }));
  const [y, x] = [menu(page, "y", "Vertical", () => metrics), menu(page, "x", "Horizontal", () => metrics)];
  const logs = ["logy", "logx"].map((name) => {
    const input = el("input", { type: "checkbox", id: `control-${name}`, onchange: () => page.set({ [name]: input.checked }) });
    return { name, input, root: el("label", { class: "check" }, input, name === "logy" ? "log, vertical" : "log, horizontal") };
  });
  const cost = menu(page, "cost_basis", "Price of a GPU hour", () => page.choices.cost_bases.map((name) => ({ value: name, label: name })));
  const root = el("fieldset", { "data-control": "axes" }, el("legend", { class: "hidden" }, "Axes"), y.root, x.root, ...logs.map((log) => log.root), cost.root);
  function show(state) {
    [x, y, cost].forEach((part) => part.show(state));
    for (const { name, input } of logs) input.checked = state[name];
  }
  return { root, show };
}

function replicas(page) {
  const box = el("div", { class: "chips" });
  const text = el("input", { type: "text", id: "control-sweep", spellcheck: "false", onchange: () => typed() });
  const root = el("fieldset", { "data-control": "tp" }, el("legend", {}, "GPUs of a replica (TP)"), box, el("label", { class: "label", for: "control-sweep" }, "Clients of each"), text);
  const kept = new Map(page.choices.default.sweep.map((entry) => [tpOf(entry), entry]));
  let drawn = null;
  function typed() {
    const sweep = text.value.split(";").map((entry) => entry.trim()).filter(Boolean);
    if (sweep.length) page.set({ sweep: sweep.slice(0, MOST.sweep) });
  }
  function toggled(tp, on) {
    const rest = page.state.sweep.filter((entry) => tpOf(entry) !== tp);
    const gone = page.state.sweep.find((entry) => tpOf(entry) === tp);
    if (gone) kept.set(tp, gone);
    const next = on ? [...rest, kept.get(tp) ?? `${tp}:${WHOLE_RANGE}`].sort((a, b) => tpOf(a) - tpOf(b)) : rest;
    if (next.length) page.set({ sweep: next });
    else show(page.state);
  }
  function show(state) {
    const sizes = [...new Set([...page.sizes(), ...state.sweep.map(tpOf)])].sort((a, b) => a - b);
    if (!same(sizes, drawn)) {
      fill(box, ...sizes.map((tp) => chip("checkbox", "tp", { value: tp, label: String(tp) }, (on) => toggled(tp, on))));
      drawn = sizes;
    }
    for (const input of box.querySelectorAll("input")) input.checked = state.sweep.some((entry) => tpOf(entry) === Number(input.value));
    if (document.activeElement !== text) text.value = state.sweep.join("; ");
    needsServe(text, page.source.live);
  }
  return { root, show };
}

function launch(page) {
  const { choices } = page;
  const automatic = { value: "", label: AUTOMATIC };
  const own = (list, fits) => (state) => [automatic, ...list.filter((one) => fits(one, state)).map(named)];
  const parts = [
    menu(page, "engine", "Engine", () => choices.engines.map(named)),
    menu(page, "recipe", "Recipe", own(choices.recipes, (one, state) => one.engine === state.engine && one.hardware.some((name) => state.hardware.includes(name)))),
    menu(page, "checkpoint", "Checkpoint", (state) => [automatic, ...(choices.models.find((one) => one.name === state.model)?.checkpoints ?? []).map((one) => ({ value: one.name, label: one.label }))]),
    menu(page, "calibration", "Calibration", (state) => [
      automatic,
      { value: "none", label: "none: kernel priors" },
      ...choices.calibrations.filter((one) => one.name !== "kernel-priors").filter((one) => one.name === state.calibration || one.hardware.some((name) => state.hardware.includes(name))).map(named),
    ]),
    menu(page, "against", "Published points", () => [{ value: "", label: "none" }, ...choices.published.map((name) => ({ value: name, label: name }))]),
  ];
  const root = el("details", { "data-control": "launch" }, el("summary", {}, "Engine, checkpoint, calibration"), ...parts.map((part) => part.root));
  return { root, show: (state) => parts.forEach((part) => part.show(state)) };
}

function needsServe(input, able) {
  input.disabled = !able;
  const holder = input.closest("label") ?? input;
  if (able) holder.removeAttribute("title");
  else holder.title = NEEDS_SERVE;
}
