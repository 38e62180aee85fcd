// @ts-check
// The page: one state, its address, the settings, and the tab that shows the answer to it.

import { controlsOf } from "./controls.js";
import { carried } from "./data.js";
import { byId, el, fill } from "./dom.js";
import { copy, csvText, download, pictureOf } from "./exports.js";
import { NoAnswer, NEEDS_SERVE, sourceOf } from "./source.js";
import { decoded, encoded, same, tpOf } from "./state.js";
import { colour, startTheme } from "./theme.js";
import { curveTab } from "./tabs/curve.js";
import { breakEvenTab } from "./tabs/break_even.js";
import { whyTab } from "./tabs/why.js";
import { planTab } from "./tabs/plan.js";
import { agenticTab } from "./tabs/agentic.js";
import { checkTab } from "./tabs/check.js";
import { depthWords, shown } from "./words.js";

const TABS = [curveTab, breakEvenTab, whyTab, planTab, agenticTab, checkTab];
const ANNOUNCE_AFTER = 700;
const VIEW = ["tab", "x", "y", "logx", "logy", "pins"];
/** Fields of the state that change what is shown of an answer, but not the answer. */

/** @param {any} data what the page carries */
function start(data) {
  const defaults = { ...data.choices.default, ...data.state };
  const page = {
    choices: data.choices, data, defaults, source: sourceOf(data), state: decoded(location.hash, defaults), selected: null, check: data.check ?? null, answers: new Map(),
    kind: () => (page.state.tab === agenticTab.name ? agenticTab.kind : curveTab.kind), set, sizes, titleOf, pinOf: (state) => encoded({ ...defaults, ...state }, defaults), unpinned: (pin) => decoded(pin, defaults), show, around,
  };
  let curve = null;
  let running = null;
  let waiting = false;
  /** Whether what runs is what follows the points, which a slider need not wait for. */
  let following = false;
  let announcing = 0;

  const panels = new Map(TABS.map((tab) => [tab.name, panelOf(tab, page)]));
  const showControls = controlsOf(byId("controls"), page);
  tabList(page);
  exportButtons();
  startTheme(byId("theme"), () => show());
  byId("menu").addEventListener("click", toggleMenu);
  addEventListener("popstate", back);
  addEventListener("hashchange", back);
  addEventListener("click", (event) => {
    if (event.target instanceof Node && !byId("scope").contains(event.target)) byId("scope").open = false;
  });
  addEventListener("keydown", (event) => event.key === "Escape" && (byId("scope").open = false));
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("chart-region").focus();
  });
  refresh();

  /** Change the state: a step of the history, or while a slider is dragged none. */
  function set(change, { drag = false } = {}) {
    const asked = page.source.snapped(page.kind(), page.state, repaired(page, change));
    const before = page.state;
    page.state = { ...before, ...asked };
    if (same(before, page.state)) return showControls(page.state, curve);
    const address = encoded(page.state, defaults);
    const url = `${location.pathname}${location.search}${address ? `#${address}` : ""}`;
    if (drag) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    refresh({ drag });
  }

  function back() {
    const state = decoded(location.hash, defaults);
    if (same(state, page.state)) return;
    page.state = state;
    refresh();
  }

  /** Show the state, and ask for what it needs; while dragging, one request at a time. */
  function refresh({ drag = false } = {}) {
    const { state } = page;
    for (const [name, panel] of panels) panel.root.hidden = name !== state.tab;
    for (const button of byId("tabs").children) {
      const chosen = button.dataset.tab === state.tab;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
    byId("title").textContent = titleOf(state);
    document.title = `${titleOf(state)}: mtpsim`;
    showControls(state, curve);
    if (drag && running && !following) waiting = true;
    else load();
  }

  async function load() {
    running?.abort();
    const control = new AbortController();
    running = control;
    waiting = following = false;
    const { state } = page;
    const panel = panels.get(state.tab);
    panel.root.setAttribute("aria-busy", "true");
    panel.root.dataset.stale = "true";
    try {
      await answered(panel, state, control.signal);
    } catch (fault) {
      if (!control.signal.aborted) failed(panel, fault);
    }
    if (running !== control) return;
    running = null;
    panel.root.setAttribute("aria-busy", "false");
    if (waiting) {
      waiting = false;
      load();
    }
  }

  async function answered(panel, state, signal) {
    const { tab } = panel;
    if (tab.kind === null) {
      shownBy(panel, null, state);
      return behind(state, signal);
    }
    fill(panel.fault);
    const progress = (line) => fill(panel.fault, el("p", { class: "note" }, `${line.progress} …`));
    const answer = await ask(tab.kind, state, { signal, ...(tab.banded ? { intervals: false } : {}), ...(tab === curveTab ? {} : { progress }) });
    const extra = tab === curveTab ? await pinAnswers(state, signal) : [];
    if (signal.aborted) return;
    shownBy(panel, answer, state, extra);
    following = true;
    if (tab !== curveTab) await behind(state, signal);
    if (!tab.banded || !page.source.live || waiting || signal.aborted) return;
    const banded = await ask(tab.kind, state, { signal, intervals: true });
    if (!signal.aborted) shownBy(panel, banded, state, extra);
  }

  /** The settings show what the curve's answer says of acceptance, whichever tab is open. */
  async function behind(state, signal) {
    try {
      const answer = await ask("curve", state, { signal, intervals: false });
      if (signal.aborted) return;
      curve = answer;
      showControls(page.state, curve);
    } catch {
      // the tab has its own answer, and the tab Curve tells what is wrong
    }
  }

  /** An answer, asked for once as long as it is among the last. */
  async function ask(kind, state, options = {}) {
    const key = JSON.stringify([kind, options.intervals, Object.entries(state).filter(([name]) => !VIEW.includes(name))]);
    const kept = page.answers.get(key);
    if (kept) return kept;
    const answer = await page.source.answer(kind, state, options);
    page.answers.set(key, answer);
    if (page.answers.size > 40) page.answers.delete(page.answers.keys().next().value);
    return answer;
  }

  async function pinAnswers(state, signal) {
    const found = await Promise.all(state.pins.map(async (pin) => {
      try {
        return { pin, answer: await ask("curve", { ...page.unpinned(pin), at: defaults.at, against: "" }, { signal, intervals: false }) };
      } catch {
        return null;
      }
    }));
    return found.filter((one) => one !== null);
  }

  function shownBy(panel, answer, state, extra = []) {
    panel.last = { answer, state, extra };
    panel.root.dataset.stale = "false";
    if (panel.tab.kind === "curve") curve = answer;
    fill(panel.fault);
    panel.body.hidden = false;
    panel.view.draw(answer, state, extra);
    showControls(state, curve);
    if (answer) around(answer);
    announce(panel);
  }

  function failed(panel, fault) {
    panel.body.hidden = true;
    const text = fault instanceof NoAnswer ? fault.message : fault instanceof TypeError && page.source.live ? "The program behind this page does not answer." : `Something went wrong: ${fault}`;
    if (!(fault instanceof NoAnswer)) console.warn(fault);
    fill(panel.fault, el("div", { class: fault instanceof NoAnswer ? "message" : "message bad" }, ...text.split("\n").map((line) => el("p", {}, line))));
    byId("live").textContent = text;
    showControls(page.state, curve);
  }

  /** Draw again what is there: after a change of the theme, or of what a tab keeps for itself. */
  function show() {
    const panel = panels.get(page.state.tab);
    if (panel.last) shownBy(panel, panel.last.answer, panel.last.state, panel.last.extra);
  }

  function announce(panel) {
    clearTimeout(announcing);
    announcing = setTimeout(() => (byId("live").textContent = panel.view.sentence() ?? ""), ANNOUNCE_AFTER);
  }

  /** What stands around the chart: scope, version, and the same elsewhere. */
  function around(answer) {
    const scopes = (answer.series ?? [answer]).map((one) => one.scope).filter(Boolean);
    const order = ["inside", "between", "extrapolated", "unmeasured"];
    const worst = scopes.reduce((found, one) => (order.indexOf(one.word) > order.indexOf(found?.word ?? "") ? one : found), null);
    byId("scope").hidden = !worst;
    if (worst) {
      byId("scope").dataset.word = worst.word;
      byId("scope-word").textContent = SCOPE_WORDS[worst.word] ?? worst.word;
      const reasons = [...new Set(scopes.flatMap((one) => one.reasons ?? []))];
      const notes = [...(answer.left_out ?? []), ...(answer.notes ?? [])];
      fill(byId("scope-reasons"), el("p", {}, el("b", {}, SCOPE_MEANS[worst.word] ?? "")), listOf(reasons), notes.length ? el("p", {}, el("b", {}, "What was assumed")) : null, listOf(notes));
    }
    const { version, calibration, calibration_id: id } = answer.provenance ?? {};
    byId("version").textContent = `v${version ?? data.choices.version}${calibration ? ` · ${calibration}` : ""}${id ? ` · ${id}` : ""}`;
    byId("version").title = `version, calibration and the beginning of its hash`;
    const equal = answer.equivalent ?? {};
    fill(byId("equal"), ...[["Command", equal.command], ["Python", equal.python]].filter(([, text]) => text).map(([name, text]) => codeOf(name, text)));
  }

  function exportButtons() {
    const view = () => panels.get(page.state.tab).view;
    const name = (suffix) => `mtpsim_${page.state.tab}.${suffix}`;
    const picture = (format) => async () => {
      const chart = view().chart();
      const words = { ground: colour("panel"), ink: colour("ink"), title: shown(titleOf(page.state)), below: shown(`mtpsim ${byId("version").textContent}`) };
      if (chart) download(name(format), await pictureOf(chart, format, words));
    };
    const actions = {
      PNG: picture("png"),
      SVG: picture("svg"),
      CSV: () => {
        const { columns, rows } = view().table();
        download(name("csv"), new Blob([csvText(columns, rows)], { type: "text/csv" }));
      },
      JSON: () => download(name("json"), new Blob([JSON.stringify({ state: page.state, ...(view().answer?.() ?? panels.get(page.state.tab).last?.answer) }, null, 1)], { type: "application/json" })),
      Link: (event) => copy(event.currentTarget, location.href),
    };
    const words = { PNG: "Save the chart as PNG", SVG: "Save the chart as SVG", CSV: "Save the numbers as CSV", JSON: "Save the answer as JSON", Link: "Copy a link to this view" };
    fill(byId("exports"), ...Object.entries(actions).map(([label, act]) => el("button", { type: "button", class: "small", title: words[label], "aria-label": `${label}: ${words[label]}`, onclick: act }, label)));
  }

  function sizes() {
    const held = data.live ? data.choices.tps : Object.values(data.series ?? {}).filter((one) => one.columns.includes("tp")).flatMap((one) => one.rows.map((row) => row[one.columns.indexOf("tp")]));
    return [...new Set([...held, ...defaults.sweep.map(tpOf)])];
  }

  function titleOf(state) {
    const labels = state.hardware.map((name) => data.choices.hardware.find((one) => one.name === name)?.label ?? name);
    const drafts = state.mtp.map(depthWords).join(" and ");
    const lengths = state.tab === agenticTab.name ? "recorded sessions" : `${state.isl}/${state.osl}`;
    const kept = [data.choices.models.find((one) => one.name === state.model)?.label ?? state.model, `on ${labels.join(", ")}`, state.engine, state.precision.toUpperCase(), lengths, drafts];
    return kept.filter(Boolean).join(" · ").replace(" · on ", " on ");
  }
}

const SCOPE_WORDS = { inside: "inside measured", between: "between measured", extrapolated: "extrapolated", unmeasured: "not measured" };
const SCOPE_MEANS = {
  inside: "Measured curves stand behind these figures.",
  between: "These figures lie between measured curves.",
  extrapolated: "These figures go beyond what was measured.",
  unmeasured: "Nothing measured stands behind these figures.",
};

function listOf(items) {
  return items.length ? el("ul", {}, ...items.map((item) => el("li", {}, item))) : null;
}

function codeOf(name, text) {
  const button = el("button", { type: "button", class: "small", "aria-label": `Copy the ${name}`, onclick: () => copy(button, text) }, "Copy");
  return el("div", { class: "card code" }, el("b", {}, name), el("pre", { tabindex: 0, role: "region", "aria-label": name }, text.replaceAll("\n\n", "\n")), button);
}

/** What must change with a field so that the rest still fits. */
function repaired(page, change) {
  const reset = { model: ["checkpoint", "calibration", "precision"], engine: ["recipe", "calibration"], hardware: ["recipe", "calibration"] };
  const also = Object.fromEntries(Object.keys(change).flatMap((name) => (reset[name] ?? []).map((other) => [other, ""])));
  const model = page.choices.models.find((one) => one.name === (change.model ?? page.state.model));
  if (change.model && model) {
    const kept = page.state.mtp.filter((depth) => depth <= model.max_mtp);
    also.mtp = kept.length ? kept : [0];
  }
  return { ...also, ...change };
}

function panelOf(tab, page) {
  const root = el("div", { class: "panel", role: "tabpanel", id: `panel-${tab.name}`, "aria-labelledby": `tab-${tab.name}`, tabindex: 0, hidden: true });
  const fault = el("div", { class: "fault", role: "alert" });
  const body = el("div", { class: "panel inner" });
  fill(root, fault, body);
  byId("chart-region").append(root);
  if (tab.live && !page.source.live) fill(body, el("p", { class: "message" }, `${tab.label} ${NEEDS_SERVE}: every answer is computed for your numbers.`));
  const empty = { draw() {}, chart: () => null, table: () => ({ columns: [], rows: [] }), sentence: () => "" };
  const view = tab.live && !page.source.live ? empty : tab.mount(body, page);
  return { tab, root, fault, body, view, last: null };
}

function tabList(page) {
  const list = byId("tabs");
  const buttons = TABS.map((tab) => el("button", { type: "button", role: "tab", id: `tab-${tab.name}`, "data-tab": tab.name, "aria-controls": `panel-${tab.name}`, onclick: () => page.set({ tab: tab.name }) }, tab.label));
  fill(list, ...buttons);
  list.addEventListener("keydown", (event) => {
    const now = TABS.findIndex((tab) => tab.name === page.state.tab);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + TABS.length) % TABS.length;
    page.set({ tab: TABS[next].name });
    buttons[next].focus();
  });
}

function toggleMenu() {
  const open = byId("controls").classList.toggle("open");
  byId("menu").setAttribute("aria-expanded", String(open));
}

carried().then(start);
