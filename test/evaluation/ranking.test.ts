import {
  averageRanks,
  comparisonTable,
  type Score,
  spreadOf,
  tableCsv,
  tableMarkdown,
  tableText,
} from "../../lib/evaluation/ranking";

describe("averageRanks", () => {
  test("1 is the best; equal values share the mean of their ranks", () => {
    expect(averageRanks([0.5, 0.9, 0.7])).toEqual([3, 1, 2]);
    expect(averageRanks([0.5, 0.9, 0.5, 0.9, 0.5])).toEqual([4, 1.5, 4, 1.5, 4]);
    expect(averageRanks([0.2, 0.2])).toEqual([1.5, 1.5]);
  });

  test("what is not known has no rank and takes none from others", () => {
    expect(averageRanks([null, 0.4, null, 0.5])).toEqual([null, 2, null, 1]);
    expect(averageRanks([])).toEqual([]);
  });

  test("ranks add up to n (n + 1) / 2 whatever the ties", () => {
    for (let seed = 0; seed < 50; seed++) {
      const values = Array.from({ length: 7 }, (_, i) => ((seed * 7 + i * i * 13) % 4) / 4);
      expect((averageRanks(values) as number[]).reduce((a, b) => a + b, 0)).toBe(28);
    }
  });
});

test("spread is the sample standard deviation", () => {
  expect(spreadOf([])).toBeNull();
  expect(spreadOf([3])).toEqual({ mean: 3, sd: null, count: 1 });
  expect(spreadOf([2, 4, 4, 4, 5, 5, 7, 9])).toMatchObject({ mean: 5, sd: Math.sqrt(32 / 7), count: 8 });
});

const score = (method: string, dataset: string, seed: number, dice: number | null): Score => ({
  method,
  dataset,
  seed,
  dice,
});

describe("comparisonTable", () => {
  const scores = [
    ...[score("a", "x", 0, 0.6), score("a", "x", 1, 0.8), score("a", "y", 0, 0.5), score("a", "y", 1, 0.5)],
    ...[score("b", "x", 0, 0.7), score("b", "x", 1, 0.7), score("b", "y", 0, 0.4), score("b", "y", 1, 0.6)],
    ...[score("c", "x", 0, 0.9), score("c", "x", 1, 0.9), score("c", "y", 0, 0.9), score("c", "y", 1, 0.9)],
  ];
  const table = comparisonTable(scores, ["a", "b", "c"], ["x", "y"]);
  const [a, b, c] = table.rows;

  test("means over seeds, averages over data sets, ranks of the means", () => {
    expect(a!.dice.x!.mean).toBeCloseTo(0.7, 12);
    expect(a!.dice.x!.sd).toBeCloseTo(Math.SQRT2 / 10, 12);
    expect(a!.average!.mean).toBeCloseTo(0.6, 12);
    expect(a!.average!.sd).toBeCloseTo(0.1 / Math.SQRT2, 12); // 0.55 and 0.65
    expect(c!.rank).toEqual({ mean: 1, sd: 0, count: 2 });
    expect(b!.average!.mean).toBeCloseTo(0.6, 12);
    expect(a!.rank!.mean + b!.rank!.mean).toBeCloseTo(5, 12);
  });

  test("an unfinished comparison shows what is known, and neither average nor rank without all of it", () => {
    const some = comparisonTable(scores.slice(0, 5), ["a", "b"], ["x", "y"]);
    expect(some.rows[1]!.dice).toMatchObject({ x: { mean: 0.7, sd: null, count: 1 }, y: null });
    expect(some.rows[1]).toMatchObject({ average: null, rank: null });
    expect(some.rows[0]!.average).not.toBeNull();
    expect(some.rows[0]!.rank).toEqual({ mean: 1, sd: 0, count: 2 }); // b is not ranked yet
    expect(comparisonTable([score("a", "x", 0, null)], ["a"], ["x"]).rows[0]!.dice).toEqual({ x: null });
  });

  test("prints as Markdown, CSV and text", () => {
    const small = comparisonTable([score("a|b", "x", 0, 0.71234)], ["a|b", '=c,"d"'], ["x"]);
    expect(tableMarkdown(small)).toBe(
      "| Method | x | Average DSC | Average rank |\n| --- | ---: | ---: | ---: |\n" +
        '| a\\|b | 71.23 | 71.23 | 1.00 |\n| =c,"d" | – | – | – |\n',
    );
    expect(tableCsv(small).split("\n").slice(1)).toEqual([
      "a|b,0.71234,,1,0.71234,,1,1,,1",
      '"\'=c,""d""",,,,,,,,,',
      "",
    ]);
    expect(tableText(table)).toContain("70.00 ± 14.14");
  });
});
