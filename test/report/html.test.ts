import { chart } from "../../lib/report/chart";
import { duration, fixed, sizes, spacing } from "../../lib/report/facts";
import { escapeHtml, html } from "../../lib/report/html";
import { renderPage } from "../../lib/report/page";

const HOSTILE = `"><script>alert('x')</script>&\u0000`;

describe("html", () => {
  test("escapes text and attributes, but not what is HTML already", () => {
    expect(escapeHtml(HOSTILE)).toBe("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;\ufffd");
    const inner = html`<b>${"<"}</b>`;
    expect(html`<p title="${'"'}">${inner}${[1, "&", inner]}${null}${undefined}${false}</p>`.text).toBe(
      '<p title="&quot;"><b>&lt;</b>1&amp;<b>&lt;</b></p>',
    );
  });
});

describe("chart", () => {
  const options = { title: HOSTILE, x: { label: "step", low: 0, high: 100 }, y: { label: "loss" } };
  const points = Array.from({ length: 100 }, (_, i) => [i + 1, 100 / (i + 1)] as const);
  const coordinates = (svg: string) =>
    [...svg.matchAll(/ d="([^"]*)"/g)].flatMap(([, d]) => (d ?? "").match(/-?[\d.]+|NaN|Infinity/g) ?? []);

  test("draws every kind of series for a wide screen and a phone, logarithmic where a linear axis would hide values", () => {
    const kinds = ["line", "points", "band", "rule"] as const;
    const series = kinds.map((kind, i) => ({ label: `${kind} <`, kind, color: i + 1, points }));
    const { text } = chart(series, options);
    expect(text.match(/<svg class="(wide|narrow)"/g)).toHaveLength(2);
    expect(text).toContain("loss (log)");
    expect(text).not.toContain("<script>");
    expect(text).toContain("line &lt;");
    expect(coordinates(text).map(Number).every(Number.isFinite)).toBe(true);
  });

  test("reads the values where the pointer is", () => {
    const { text } = chart(
      [
        {
          label: "loss",
          kind: "line",
          color: 1,
          points: [
            [10, 0.5],
            [20, 0.25],
          ],
        },
      ],
      options,
    );
    expect(text).toContain("<title>step 10  ·  loss 0.5</title>");
    expect(text).toContain("<title>step 20  ·  loss 0.25</title>");
  });

  test("leaves out what is no number and says so when nothing is left", () => {
    const gaps = [
      [1, Number.NaN],
      [2, Number.POSITIVE_INFINITY],
    ] as const;
    expect(chart([{ label: "a", kind: "line", color: 1, points: gaps }], options).text).toContain(
      "No values yet",
    );
    for (const one of [
      [[5, 1]],
      [
        [5, 0],
        [6, 0],
      ],
    ] as const) {
      const { text } = chart([{ label: "a", kind: "line", color: 1, points: [...gaps, ...one] }], options);
      expect(coordinates(text).map(Number).every(Number.isFinite)).toBe(true);
    }
  });

  test("a long run is drawn with no more points than there are pixels", () => {
    const long = Array.from({ length: 200_000 }, (_, i) => [i, Math.sin(i)] as const);
    const { text } = chart([{ label: "a", kind: "line", color: 1, points: long }], {
      ...options,
      x: { ...options.x, high: 200_000 },
    });
    expect(text.length).toBeLessThan(150_000);
  });
});

describe("page", () => {
  const page = renderPage({
    kicker: "Run",
    title: HOSTILE,
    chips: [{ text: HOSTILE, tone: "good" }],
    tiles: [{ label: HOSTILE, value: HOSTILE, note: HOSTILE }],
    sections: [{ title: HOSTILE, note: HOSTILE, body: html`<p>${HOSTILE}</p>` }],
    footer: HOSTILE,
  });

  test("holds no script, whatever its texts are, and forbids any", () => {
    expect(page).not.toMatch(/<script/i);
    expect(page).toContain("default-src &#39;none&#39;");
  });

  test("asks for nothing", () => {
    expect(page).not.toMatch(/https?:|url\(|@import|<link|<iframe/i);
  });
});

test("numbers as people read them", () => {
  expect([0.0123, 12.34, 125, 7384].map(duration)).toEqual(["12 ms", "12.3 s", "2 min 5 s", "2 h 3 min"]);
  expect([fixed(0.12345), fixed(null), fixed(Number.NaN)]).toEqual(["0.123", "–", "–"]);
  expect([spacing([1, 1, 1]), spacing([3, 0.5, 0.5]), spacing(null), spacing("median")]).toEqual([
    "1 mm",
    "3 × 0.5 × 0.5 mm",
    "each image's own",
    "median",
  ]);
  expect([sizes([96, 96, 96]), sizes([8, 9, 9])]).toEqual(["96³", "8 × 9 × 9"]);
});
