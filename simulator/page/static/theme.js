// @ts-check
// Light and dark, and the look that all charts share.

import { shown } from "./words.js";

const KEY = "mtpsim-theme";

/** @returns {"light"|"dark"} */
export function theme() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

/** Follow the system until a reader chooses; `changed` is called at every change.
 * @param {HTMLButtonElement} button @param {() => void} changed
 */
export function startTheme(button, changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (name) => {
    document.documentElement.dataset.theme = name;
    button.title = `Switch to the ${name === "dark" ? "light" : "dark"} theme`;
    button.setAttribute("aria-label", button.title);
  };
  const follow = () => show(remembered() ?? (system.matches ? "dark" : "light"));
  follow();
  button.addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    remember(next);
    show(next);
    changed();
  });
  system.addEventListener("change", () => {
    follow();
    changed();
  });
}

/** A colour of the page's style sheet, by the name of its variable.
 * @param {string} name
 */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A mixture of two colours #rrggbb.
 * @param {string} one @param {string} other @param {number} part of the other
 */
export function mixed(one, other, part) {
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const [a, b] = [channels(one), channels(other)];
  return `#${a.map((value, i) => Math.round(value + (b[i] - value) * part).toString(16).padStart(2, "0")).join("")}`;
}

/** @param {string} hex @param {number} alpha */
export function faded(hex, alpha) {
  return `rgba(${[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)).join(",")},${alpha})`;
}

/** A colour of the palette as it reads on this theme's ground: lighter on dark.
 * @param {string} hex
 */
export function onGround(hex) {
  return theme() === "dark" ? mixed(hex, "#ffffff", 0.3) : hex;
}

/** Layout that all charts share.
 * @param {Record<string, any>} own
 */
export function layoutOf(own) {
  const axis = {
    gridcolor: colour("grid"), linecolor: colour("edge"), zerolinecolor: colour("grid"), tickcolor: colour("edge"), ticks: "outside", ticklen: 4,
    automargin: true, tickfont: { size: 11.5, color: colour("soft") },
  };
  const axes = Object.fromEntries(Object.keys(own).filter((name) => /^[xy]axis\d?$/.test(name)).map((name) => [name, { ...axis, ...own[name], title: { standoff: 6, font: { size: 12 }, ...own[name].title } }]));
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, hovermode: "closest", dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 12, color: colour("ink") },
    margin: { l: 56, r: 14, t: 14, b: 44 }, hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("edge"), font: { color: colour("ink") } },
    ...own, ...axes,
  };
}

/** A logarithmic or linear axis with plain numbers.
 * @param {string} title @param {boolean} log
 */
export function axisOf(title, log) {
  return { title: { text: shown(title) }, type: log ? "log" : "linear", ...(log ? { dtick: "D2", tickformat: ",~r" } : { tickformat: ",~r" }) };
}

const watched = new WeakSet();

/** Draw a chart, and again at the size of its place whenever that changes.
 * @param {any} chart @param {any[]} traces @param {any} layout
 */
export function plot(chart, traces, layout) {
  Plotly.react(chart, traces, layout, CONFIG);
  if (watched.has(chart)) return;
  watched.add(chart);
  new ResizeObserver(() => chart.offsetParent && Plotly.Plots.resize(chart)).observe(chart);
}

const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: "reset" };

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // a file opened from disk may have no storage
  }
}
