// @ts-check
// Where answers come from: what the file carries, or the program behind the page.

import { acceptanceOf, same, tpOf } from "./state.js";

/** An answer that there is none, with a sentence for the reader. */
export class NoAnswer extends Error {}

export const NEEDS_SERVE = "needs mtpsim serve";
const NOT_HERE = "This file does not hold that combination; mtpsim serve computes it.";
const PER_SERIES = ["hardware", "mtp"];
/** Kinds of answers that are put together of those for each series. */
const OF_SERIES = ["curve", "agentic"];

/** @param {any} data what the page carries: `live`, `choices`, `answers`, and `series` by id */
export function sourceOf(data) {
  return data.live ? live(data) : embedded(data);
}

function embedded(data) {
  const entries = (kind) => data.answers?.[kind] ?? [];
  const opened = (entry) => ({ ...entry, series: (entry.series ?? []).map((id) => (typeof id === "string" ? data.series[id] : id)) });
  const known = new Map(Object.keys(data.answers ?? {}).map((kind) => [kind, valuesOf(entries(kind))]));

  function answer(kind, state) {
    const asked = askedOf(kind, state);
    const found = entries(kind).find((entry) => agrees(entry.where, asked));
    if (found) return OF_SERIES.includes(kind) ? opened(found) : found;
    const parts = OF_SERIES.includes(kind) ? merged(entries(kind), asked) : null;
    if (!parts) throw new NoAnswer(NOT_HERE);
    return joined(parts.map(opened), state);
  }

  return {
    live: false,
    answer: async (kind, state) => answer(kind, state),
    /** Whether some answer has this value of a field of the state. */
    has(kind, name, value) {
      const held = known.get(kind)?.get(name);
      return held ? held.has(JSON.stringify(value)) : same(data.choices.default[name], value);
    },
    /** The state with this change, and whatever else must change for the file to have an answer. */
    snapped(kind, state, change) {
      const wanted = { ...state, ...change };
      const asked = askedOf(kind, wanted);
      if (entries(kind).some((entry) => agrees(entry.where, asked)) || (OF_SERIES.includes(kind) && merged(entries(kind), asked))) return wanted;
      const [name] = Object.keys(change).filter((key) => !same(change[key], state[key]));
      const able = entries(kind).filter((entry) => name in entry.where && fits(entry.where[name], wanted[name], true));
      const best = nearest(able, wanted);
      return best ? { ...wanted, ...settled(best.where, wanted) } : wanted;
    },
    /** Values of a field that some answer has, for the rest of the state as it is. */
    values(kind, state, name) {
      const others = ({ [name]: own, ...rest }) => rest;
      const able = entries(kind).filter((entry) => name in entry.where && agrees(others(entry.where), askedOf(kind, state), true));
      return [...new Set(able.flatMap((entry) => options(entry.where[name])))];
    },
  };
}

/** The values that a field of `where` leaves open. */
function options(held) {
  return held?.any ?? [held];
}

/** Every value of every field, as JSON; of lists their items. */
function valuesOf(entries) {
  const found = new Map();
  for (const { where } of entries) {
    for (const [name, held] of Object.entries(where)) {
      if (!found.has(name)) found.set(name, new Set());
      for (const value of options(held)) for (const item of PER_SERIES.includes(name) ? value : [value]) found.get(name).add(JSON.stringify(item));
    }
  }
  return found;
}

/** A state as the answers of a kind are looked up by it. */
function askedOf(kind, state) {
  return kind === "curve" ? state : resolved(state);
}

/** What a state leaves open about the replica that a tab explains, as simulator/page/one.py fills it in. */
function resolved(state) {
  const hardware = state.why_hardware || state.hardware[0];
  return { ...state, why_hardware: hardware, why_mtp: state.why_mtp < 0 ? Math.max(...state.mtp) : state.why_mtp, why_tp: state.why_tp || Math.min(...state.sweep.map(tpOf)) };
}

/** Values for a state, as near to the wanted one as `where` allows. */
function settled(where, wanted) {
  return Object.fromEntries(Object.entries(where).map(([name, held]) => [name, options(held).find((value) => same(value, wanted[name])) ?? options(held)[0]]));
}

function live(data) {
  const headers = { "Content-Type": "application/json", ...(data.token ? { Authorization: `Bearer ${data.token}` } : {}) };

  async function ask(kind, body, { signal, progress, intervals } = {}) {
    const query = intervals === undefined ? "" : `?intervals=${intervals}`;
    const reply = await fetch(`api/${kind}${query}`, { method: "POST", headers, body: JSON.stringify(body), signal });
    if (!reply.ok) throw new NoAnswer(await fault(reply));
    if (!(reply.headers.get("Content-Type") ?? "").includes("ndjson")) return reply.json();
    let last = null;
    for await (const line of linesIn(reply)) {
      if (line.error) throw new NoAnswer(line.error);
      if ("answer" in line) last = line.answer;
      else progress?.(line);
    }
    if (last === null) throw new NoAnswer("The program ended before it had an answer.");
    return last;
  }

  return {
    live: true,
    answer: (kind, state, options) => ask(kind, state, options),
    has: () => true,
    snapped: (_kind, state, change) => ({ ...state, ...change }),
    values: () => null,
  };
}

async function* linesIn(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
    if (done) return;
  }
}

async function fault(reply) {
  try {
    const { error } = await reply.json();
    return String(error);
  } catch {
    return `The program answered with status ${reply.status}.`;
  }
}

function agrees(where, state, lenient = false) {
  return Object.keys(where).every((name) => fits(where[name], state[name], lenient && PER_SERIES.includes(name)));
}

/** Whether a value is one that `where` allows; leniently, whether lists share an item. */
function fits(held, value, lenient = false) {
  return options(held).some((one) => (lenient && Array.isArray(one) ? one.some((item) => value.includes(item)) : same(one, value)));
}

/** Entries that together have every accelerator and depth of the state. */
function merged(entries, state) {
  const rest = ({ hardware, mtp, ...others }) => others;
  const able = entries.filter((entry) => agrees(rest(entry.where), state) && PER_SERIES.every((name) => entry.where[name].every((value) => state[name].includes(value))));
  const found = [];
  for (const hardware of state.hardware) {
    for (const depth of state.mtp) {
      const entry = able.find((one) => one.where.hardware.includes(hardware) && one.where.mtp.includes(depth));
      if (!entry) return null;
      if (!found.includes(entry)) found.push(entry);
    }
  }
  return found.length ? found : null;
}

function joined(parts, state) {
  const all = (name) => parts.flatMap((part) => part[name] ?? []);
  const once = (items) => [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
  const series = [...new Map(all("series").map((one) => [one.id, one])).values()];
  const ordered = series.sort((a, b) => state.hardware.indexOf(a.hardware) - state.hardware.indexOf(b.hardware) || a.mtp - b.mtp);
  const lists = ["readings", "sentences", "measured", "left_out", "notes", "memory"];
  return { ...parts[0], ...Object.fromEntries(lists.map((name) => [name, once(all(name))])), series: ordered };
}

/** The entry that agrees with most of the state; of several the one whose acceptance is nearest. */
function nearest(entries, wanted) {
  const weight = (entry) => Object.keys(entry.where).reduce((sum, name) => sum + (fits(entry.where[name], wanted[name], true) ? 1 : 0), 0) - closeness(entry.where.acceptance, wanted.acceptance);
  return entries.reduce((best, entry) => (best && weight(best) >= weight(entry) ? best : entry), null);
}

function closeness(one, other) {
  const [a, b] = [acceptanceOf(one ?? ""), acceptanceOf(other ?? "")];
  return a.kind === b.kind && a.value !== "" ? Math.min(0.9, Math.abs(Number(a.value) - Number(b.value)) / 10) : 0;
}
