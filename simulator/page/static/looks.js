// @ts-check
// One colour and line per series: MTP blue and Off orange for one accelerator, a colour each for several.

import { depthWords } from "./words.js";
import { mixed, onGround } from "./theme.js";

export const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross"];

/** Colour, dash and short name by id of a series.
 * @param {any[]} series @param {any} colours of `choices` @param {string[]} [names] accelerators in the order of their colours
 * @returns {Map<string, {colour: string, dash: string, name: string}>}
 */
export function looksOf(series, colours, names) {
  const accelerators = names ?? [...new Set(series.map((one) => one.hardware))];
  const depths = [...new Set(series.map((one) => one.mtp))].filter(Boolean).sort((a, b) => a - b);
  return new Map(
    series.map((one) => {
      if (accelerators.length > 1) {
        const own = colours.series[Math.max(0, accelerators.indexOf(one.hardware)) % colours.series.length];
        return [one.id, { colour: onGround(shade(own, depths.indexOf(one.mtp), depths.length)), dash: one.mtp ? "solid" : "dash", name: nameOf(one, true) }];
      }
      const own = one.mtp ? shade(colours.mtp, depths.indexOf(one.mtp), depths.length) : colours.off;
      return [one.id, { colour: onGround(own), dash: "solid", name: nameOf(one, false) }];
    }),
  );
}

/** Marker by replica size.
 * @param {number[]} sizes all sizes, in order @param {number} tp
 */
export function symbolOf(sizes, tp) {
  return SYMBOLS[Math.max(0, sizes.indexOf(tp)) % SYMBOLS.length];
}

/** @param {any} one a series @param {boolean} several */
export function nameOf(one, several) {
  return several ? `${one.hardware_label ?? one.hardware} ${depthWords(one.mtp)}` : depthWords(one.mtp);
}

function shade(own, place, count) {
  if (place < 1 || count < 2) return own;
  const step = Math.ceil(place / 2) / Math.max(1, Math.ceil((count - 1) / 2));
  return place % 2 ? mixed(own, "#000000", 0.45 * step) : mixed(own, "#ffffff", 0.5 * step);
}
