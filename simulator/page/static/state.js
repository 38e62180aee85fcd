// @ts-check
// Everything the page shows is a function of this state, and the address carries what differs from the defaults.

/** @typedef {Record<string, any>} State */

const LISTS = { hardware: ",", mtp: ",", at: ",", sweep: ";", pins: ",", promises: ",", agentic_concurrency: "," };
/** Most values of a list, as simulator/page/state.py has them. */
export const MOST = { hardware: 4, mtp: 8, at: 8, sweep: 6, pins: 6, promises: 6, agentic_concurrency: 8 };

/** What the address says, over the defaults; what cannot be read is left at its default.
 * @param {string} hash with or without #
 * @param {State} defaults
 * @returns {State}
 */
export function decoded(hash, defaults) {
  const state = structuredClone(defaults);
  for (const part of hash.replace(/^#/, "").split("&")) {
    const cut = part.indexOf("=");
    if (cut < 1) continue;
    const name = unescaped(part.slice(0, cut));
    if (!Object.hasOwn(defaults, name)) continue;
    const value = read(name, part.slice(cut + 1), defaults[name]);
    if (value !== undefined) state[name] = value;
  }
  return state;
}

/** The part of the address behind #: readable, and only what differs from the defaults.
 * @param {State} state @param {State} defaults
 */
export function encoded(state, defaults) {
  return Object.keys(defaults)
    .filter((name) => !same(state[name], defaults[name]))
    .map((name) => `${name}=${written(name, state[name])}`)
    .join("&");
}

/** @param {any} one @param {any} other */
export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The fields that say what runs, as a pin keeps them.
 * @param {State} state
 */
export function pinned(state) {
  const { tab, x, y, logx, logy, at, pins, promises, rate, ...rest } = state;
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !/^(why|agentic)_/.test(name)));
}

/** The TP of an entry of a sweep such as `2:4..256`.
 * @param {string} entry
 */
export function tpOf(entry) {
  return Number(entry.split(":")[0]);
}

/** Whether an entry of a sweep, such as `2:4..256` or `4:4,8,16`, has a run.
 * @param {string[]} sweep @param {number} tp @param {number} concurrency
 */
export function runs(sweep, tp, concurrency) {
  return sweep.some((entry) => {
    if (tpOf(entry) !== tp) return false;
    return entry.slice(entry.indexOf(":") + 1).split(",").some((part) => {
      const [low, high] = part.split("..").map(Number);
      return high === undefined ? concurrency === low : concurrency >= low && concurrency <= high;
    });
  });
}

/** The kind and the value of an acceptance such as `length:2.85`.
 * @param {string} text
 * @returns {{kind: string, value: string}}
 */
export function acceptanceOf(text) {
  const [kind, ...rest] = text.split(":");
  return { kind, value: rest.join(":") };
}

function read(name, text, standard) {
  if (Array.isArray(standard)) {
    const items = text === "" ? [] : text.split(LISTS[name]).map((item) => parsed(unescaped(item), standard[0] ?? ""));
    return items.includes(undefined) || new Set(items).size < items.length ? undefined : items.slice(0, MOST[name]);
  }
  return parsed(unescaped(text), standard);
}

function parsed(text, standard) {
  if (typeof standard === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (typeof standard === "number") return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
  return text;
}

function written(name, value) {
  if (!Object.hasOwn(LISTS, name)) return escaped(value, "");
  return value.map((item) => escaped(item, LISTS[name])).join(LISTS[name]);
}

function escaped(value, separator) {
  const special = `%&#+ ${separator}`;
  return [...String(value)].map((c) => (special.includes(c) || c < " " || c > "~" ? encodeURIComponent(c) : c)).join("");
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
