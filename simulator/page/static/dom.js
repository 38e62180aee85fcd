// @ts-check
// Elements made of text nodes: nothing that a file or an answer says is ever parsed as HTML.

/**
 * An element with attributes and children; a text is a text node, a missing child nothing.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `onclick` and the like are listeners; false and null leave one out
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...kept(children));
  return made;
}

/** Put these children in place of what an element holds.
 * @param {Element} parent
 * @param {...(Node|string|number|null|undefined|false)} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...kept(children));
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/** What the colours and markers of a chart mean, as text beside it; a shape is `square`, `line solid` or a marker of plotly's.
 * @param {{colour: string, label: string, shape?: string}[]} items
 */
export function keys(items) {
  return el("p", { class: "keys" }, ...items.map(({ colour, label, shape }) => el("span", {}, sign(colour, shape ?? "square"), label)));
}

const PATHS = {
  square: "M3 2h10v10H3z", circle: "M8 1.5a5.5 5.5 0 1 0 .01 0z", diamond: "M8 1l6 6-6 6-6-6z", "triangle-up": "M8 1.5l6 11H2z", "triangle-down": "M8 12.5l6-11H2z", cross: "M6 1h4v4h4v4h-4v4H6V9H2V5h4z",
};
const DASHES = { solid: "", dash: "5 3", dot: "2 2", dashdot: "5 2 2 2", longdash: "8 3", longdashdot: "8 2 2 2" };

function sign(colour, shape) {
  const make = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const line = shape.startsWith("line ");
  const svg = make("svg", { viewBox: line ? "0 0 22 14" : "0 0 16 14", width: line ? "22" : "16", height: "14", "aria-hidden": "true" });
  if (line) svg.append(make("path", { d: "M1 7h20", stroke: colour, "stroke-width": "2.6", "stroke-dasharray": DASHES[shape.slice(5)] ?? "", fill: "none" }));
  else if (shape.endsWith("-open")) svg.append(make("path", { d: PATHS[shape.slice(0, -5)], stroke: colour, "stroke-width": "1.8", fill: "none" }));
  else svg.append(make("path", { d: PATHS[shape] ?? PATHS.square, fill: colour }));
  return svg;
}

/** A table with a header row; numbers are set to the right.
 * @param {string} caption for screen readers
 * @param {(string|Node)[]} header
 * @param {(string|number|Node|null)[][]} rows
 */
export function table(caption, header, rows) {
  const numeric = header.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] !== "object" && /^([-−+]?[\d.,]+( .*)?|–|)$/.test(String(row[i]))));
  const cell = (tag, i, content) => el(tag, { class: numeric[i] && "number", scope: tag === "th" && "col" }, content ?? "");
  return el(
    "table",
    {},
    el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, ...header.map((name, i) => cell("th", i, name)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((content, i) => cell("td", i, content))))),
  );
}

function kept(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child)));
}
