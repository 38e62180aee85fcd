// Makes d3_monotone_x.json: values of d3-shape's curveMonotoneX, read from the Bezier segments it draws.
//   mkdir /tmp/d3 && cd /tmp/d3 && npm install d3-shape@3.2.1 && cp REPO/tests/prediction/data/d3_monotone_x.mjs . &&
//   node d3_monotone_x.mjs > REPO/tests/prediction/data/d3_monotone_x.json
import { readFileSync } from "node:fs";
import { curveMonotoneX } from "d3-shape";

const d3Package = JSON.parse(readFileSync(new URL("../package.json", import.meta.resolve("d3-shape"))));

const sets = {
  "two points": [[25, 3000], [104, 400]],
  "three points, convex": [[0, 0], [1, 1], [2, 4]],
  "three points, uneven steps": [[20, 3100], [31.5, 2600], [90, 300]],
  "three points, local minimum": [[1, 5], [2, -1], [4, 7]],
  "six points, a frontier": [[24.6, 3310.2], [35.1, 2701.9], [52.3, 1920.4], [71.8, 1401.3], [90.2, 1010.6], [103.9, 610.7]],
  "six points, two extrema": [[0, 1], [1, 4], [2.5, 3], [3, -2], [5, 0], [5.25, 6]],
  "six points, a plateau and a step": [[-3, 0], [-2, 0], [0, 0], [0.1, 10], [4, 10], [9, 11]],
};

function segments(points) {
  const drawn = [];
  let pen = null;
  const context = {
    moveTo(x, y) { pen = [x, y]; },
    lineTo(x, y) {
      const third = (a, b) => [(2 * a + b) / 3, (a + 2 * b) / 3];
      const [x1, x2] = third(pen[0], x), [y1, y2] = third(pen[1], y);
      this.bezierCurveTo(x1, y1, x2, y2, x, y);
    },
    bezierCurveTo(x1, y1, x2, y2, x, y) { drawn.push([pen, [x1, y1], [x2, y2], [x, y]]); pen = [x, y]; },
    closePath() {},
  };
  const curve = curveMonotoneX(context);
  curve.lineStart();
  for (const [x, y] of points) curve.point(x, y);
  curve.lineEnd();
  return drawn;
}

const mix = (p, q, t) => p + (q - p) * t;

// De Casteljau; the control points are equally spaced in x, so the parameter is linear in x.
function bezier([p0, p1, p2, p3], t) {
  const y = (a, b) => mix(a, b, t);
  const a = y(p0[1], p1[1]), b = y(p1[1], p2[1]), c = y(p2[1], p3[1]);
  return [mix(p0[0], p3[0], t), y(y(a, b), y(b, c))];
}

const slopeOut = ([p0, p1]) => (p1[1] - p0[1]) / (p1[0] - p0[0]);
const slopeIn = ([, , p2, p3]) => (p3[1] - p2[1]) / (p3[0] - p2[0]);

const cases = Object.entries(sets).map(([name, points]) => {
  const drawn = segments(points);
  const values = drawn.flatMap((s) => [0.1, 0.35, 0.5, 0.8].map((t) => bezier(s, t)));
  return {
    name,
    x: points.map((p) => p[0]),
    y: points.map((p) => p[1]),
    slopes: [...drawn.map(slopeOut), slopeIn(drawn.at(-1))],
    at: values.map((v) => v[0]),
    value: values.map((v) => v[1]),
  };
});

const line = (c) => `    {${Object.entries(c).map(([k, v]) => `"${k}": ${JSON.stringify(v)}`).join(",\n     ")}}`;
console.log(`{\n  "made_by": "d3_monotone_x.mjs with d3-shape ${d3Package.version}, curveMonotoneX",`);
console.log(`  "cases": [\n${cases.map(line).join(",\n")}\n  ]\n}`);
