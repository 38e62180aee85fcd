// @ts-check
// Numbers and names as people read them.

const MINUS = "\u2212";

/** A number with three or more digits, without a power of ten; what is missing is a dash.
 * @param {any} value
 */
export function plain(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "\u2013" : String(value);
  if (!Number.isFinite(value)) return "\u2013";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US").replace("-", MINUS);
  const text = size === 0 ? "0" : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.001 ? value.toPrecision(3) : value.toExponential(2);
  return trimmed(text).replace("-", MINUS);
}

/** @param {number} fraction */
export function percent(fraction, digits = 0) {
  const text = (100 * fraction).toFixed(digits);
  const sign = Number(text) > 0 ? "+" : "";
  return `${sign}${Number(text) === 0 ? "0" : text} %`.replace("-", MINUS);
}

/** Text that plotly shows as it is: it reads tags and entities in every label.
 * @param {any} text
 */
export function shown(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** What a column is called in a list of all columns.
 * @param {string} name
 */
export function columnWords(name) {
  return name.replaceAll("_", " ");
}

/** A value of a row, with a list as one text.
 * @param {any} value
 */
export function cellWords(value) {
  if (Array.isArray(value)) return value.map(cellWords).join("; ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return plain(value);
}

/** @param {{label: string, unit?: string}} metric */
export function axisWords(metric) {
  if (!metric.unit || metric.label.includes(metric.unit)) return metric.label;
  return `${metric.label} (${metric.unit})`;
}

/** Which way is better on a chart of two metrics.
 * @param {{better?: string}} x @param {{better?: string}} y
 */
export function betterWords(x, y) {
  const words = [y.better === "high" ? "up" : y.better === "low" ? "down" : "", x.better === "high" ? "right" : x.better === "low" ? "left" : ""].filter(Boolean);
  return words.length ? `better: ${words.join(" and ")}` : "";
}

/** @param {number} depth */
export function depthWords(depth) {
  return depth ? `MTP ${depth}` : "Off";
}

function trimmed(text) {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}
