// @ts-check
// The front of points for any two metrics, and the curve through it: Steffen's monotone spline, as simulator/prediction/spline.py has it.

/** Indices of the points that no other dominates, by rising x.
 * @param {number[]} x @param {number[]} y
 * @param {boolean} xHigh whether more x is better @param {boolean} yHigh
 */
export function frontOf(x, y, xHigh, yHigh) {
  const a = xHigh ? 1 : -1;
  const b = yHigh ? 1 : -1;
  const known = x.map((_, i) => i).filter((i) => Number.isFinite(x[i]) && Number.isFinite(y[i]));
  known.sort((i, j) => a * (x[j] - x[i]) || b * (y[j] - y[i]) || i - j);
  let best = -Infinity;
  const front = known.filter((i) => {
    if (b * y[i] <= best) return false;
    best = b * y[i];
    return true;
  });
  return xHigh ? front.reverse() : front;
}

/** Values of the spline through knots at the positions `at`; NaN outside of the knots.
 * @param {number[]} x strictly rising @param {number[]} y @param {number[]} at
 */
export function splined(x, y, at) {
  const last = x.length - 1;
  if (last < 1) return at.map((p) => (p === x[0] ? y[0] : NaN));
  const m = slopes(x, y);
  return at.map((p) => {
    if (!(p >= x[0] && p <= x[last])) return NaN;
    let i = 0;
    while (i < last - 1 && p >= x[i + 1]) i += 1;
    const h = x[i + 1] - x[i];
    const t = (p - x[i]) / h;
    const u = 1 - t;
    return (1 + 2 * t) * u * u * y[i] + t * t * (3 - 2 * t) * y[i + 1] + h * t * u * (u * m[i] - t * m[i + 1]);
  });
}

/** Positions that draw a smooth line: the knots and so many between each two.
 * @param {number[]} x
 */
export function steps(x, between = 12) {
  const out = x.slice(0, 1);
  for (let i = 1; i < x.length; i += 1) for (let k = 1; k <= between; k += 1) out.push(k === between ? x[i] : x[i - 1] + ((x[i] - x[i - 1]) * k) / between);
  return out;
}

function slopes(x, y) {
  const h = x.slice(1).map((value, i) => value - x[i]);
  const s = h.map((step, i) => (y[i + 1] - y[i]) / step);
  if (s.length === 1) return [s[0], s[0]];
  const m = s.slice(1).map((right, i) => {
    const left = s[i];
    const p = (left * h[i + 1] + right * h[i]) / (h[i] + h[i + 1]);
    return (Math.sign(left) + Math.sign(right)) * Math.min(Math.abs(left), Math.abs(right), Math.abs(p) / 2);
  });
  return [(3 * s[0] - m[0]) / 2, ...m, (3 * s[s.length - 1] - m[m.length - 1]) / 2];
}
