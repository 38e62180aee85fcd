// @ts-check
// Pictures, tables and links for elsewhere.

import { el } from "./dom.js";

const COMMANDING = /^[=+\-@\t\r]/;

/** Offer a text or a picture as a download.
 * @param {string} name @param {Blob} blob
 */
export function download(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** CSV text of rows; no cell commands a spreadsheet.
 * @param {string[]} columns @param {any[][]} rows
 */
export function csvText(columns, rows) {
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

/** The picture of a chart on the ground of the theme, with a title above and what stands behind it below.
 * @param {any} chart @param {"png"|"svg"} format @param {{ground: string, title: string, below: string, ink: string}} words
 */
export async function pictureOf(chart, format, { ground, title, below, ink }) {
  const [width, height] = [Math.max(chart.clientWidth, 960), Math.max(chart.clientHeight, 440) + 100];
  const foot = { xref: "paper", yref: "paper", x: 0, y: 0, yshift: -66, xanchor: "left", yanchor: "top", text: below, showarrow: false, font: { size: 10.5 } };
  const margin = { ...chart.layout.margin, t: 84, b: 86 };
  const layout = { ...chart.layout, title: { text: title, x: 0.012, y: 0.985, yanchor: "top", font: { size: 16, color: ink } }, annotations: [...(chart.layout.annotations ?? []), foot], paper_bgcolor: ground, plot_bgcolor: ground, margin, width, height };
  if (chart.data.length > 1) Object.assign(layout, { showlegend: true, legend: { ...chart.layout.legend, orientation: "h", x: 0, y: 1.01, yanchor: "bottom" } });
  const address = await Plotly.toImage({ data: chart.data, layout, config: { staticPlot: true } }, { format, width, height, scale: format === "png" ? 2 : 1 });
  return blobOf(address);
}

/** Copy a text, and say so on the button.
 * @param {HTMLButtonElement} button @param {string} text
 */
export async function copy(button, text) {
  const before = button.textContent;
  button.textContent = (await copied(text)) ? "Copied" : "Press Ctrl+C";
  setTimeout(() => (button.textContent = before), 1500);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function cell(value) {
  if (value === null || value === undefined) return "";
  const text = Array.isArray(value) ? value.join("; ") : String(value);
  const safe = typeof value !== "number" && COMMANDING.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function blobOf(address) {
  const [head, body] = [address.slice(0, address.indexOf(",")), address.slice(address.indexOf(",") + 1)];
  const type = head.slice(5).split(";")[0].split(",")[0];
  if (!head.includes("base64")) return new Blob([decodeURIComponent(body)], { type });
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  return new Blob([bytes], { type });
}
