import {
  allowedLabels,
  channelsOf,
  classNames,
  countedLabels,
  foregroundOf,
  hasRegions,
  ignoreLabel,
  outputChannels,
  parseLabelScheme,
  sameScheme,
} from "../lib/labels";
import { rng } from "../lib/random";

const parse = (json: unknown) => parseLabelScheme(json, "dataset.json");
const brats = {
  labels: { background: 0, whole: [1, 2, 3], core: [2, 3], enhancing: [3], ignore: 4 },
  regions_class_order: [1, 2, 3],
};

describe("exclusive classes", () => {
  test("stand in the order of their labels, background first", () => {
    const random = rng(Date.now(), 0, "test");
    const count = 2 + random.int(20);
    const names = Array.from({ length: count }, (_, label) => [
      label ? `class ${label}` : "background",
      label,
    ]);
    const s = parse({ labels: Object.fromEntries(random.shuffle([...names])) });
    expect(classNames(s)).toEqual(names.map(([name]) => name));
    expect(outputChannels(s)).toBe(count);
    expect(countedLabels(s)).toEqual(names.map(([, label]) => label));
    expect(foregroundOf(s)).toHaveLength(count - 1);
    expect(hasRegions(s)).toBe(false);
    expect(ignoreLabel(s)).toBeUndefined();
  });

  test("a list of one label is that label; the ignore label is no class", () => {
    const s = parse({ labels: { background: [0], lesion: [1], ignore: 2 } });
    expect(s.labels).toEqual({ background: 0, lesion: 1, ignore: 2 });
    expect(classNames(s)).toEqual(["background", "lesion"]);
    expect([ignoreLabel(s), countedLabels(s), allowedLabels(s)]).toEqual([2, [0, 1], [0, 1, 2]]);
  });
});

test("schemes are the same where order does not count", () => {
  const s = (labels: Record<string, number | number[]>, order?: number[]) =>
    parse({ labels: { background: 0, ...labels }, regions_class_order: order });
  expect(sameScheme(s({ a: 1, b: 2 }), s({ b: 2, a: 1 }))).toBe(true);
  expect(sameScheme(s({ a: 1, b: 2 }), s({ a: 2, b: 1 }))).toBe(false);
  expect(sameScheme(s({ a: 1 }), s({ a: 1, ignore: 2 }))).toBe(false);
  const whole = { w: [1, 2] };
  expect(sameScheme(s({ ...whole, c: 2 }, [1, 2]), s({ c: 2, ...whole }, [1, 2]))).toBe(false);
  expect(sameScheme(s({ ...whole, c: 2 }, [1, 2]), s({ ...whole, c: 2 }, [2, 1]))).toBe(false);
});

test("regions stand in the order of the file, without background", () => {
  const s = parse(brats);
  expect(hasRegions(s)).toBe(true);
  expect(channelsOf(s)).toEqual([
    { name: "whole", labels: [1, 2, 3] },
    { name: "core", labels: [2, 3] },
    { name: "enhancing", labels: [3] },
  ]);
  expect(foregroundOf(s)).toEqual(channelsOf(s));
  expect(s.regionsClassOrder).toEqual([1, 2, 3]);
  expect([ignoreLabel(s), allowedLabels(s)]).toEqual([4, [0, 1, 2, 3, 4]]);
});

describe("refused, naming what was found", () => {
  const labels = { background: 0, a: 1, b: 2 };
  test.each<[string, unknown, RegExp]>([
    ["no object", 7, /labels must be an object .* found nothing/],
    ["no labels", {}, /labels must be an object .* found nothing/],
    ["a list", { labels: [0, 1] }, /must be an object .* found \[0,1\]/],
    ["the older form", { labels: { 0: "background", 1: "a" } }, /older form/],
    ["no background", { labels: { a: 1, b: 2 } }, /labels.background must be 0, found nothing/],
    ["background not 0", { labels: { background: 1, a: 0 } }, /labels.background must be 0, found 1/],
    ["a gap", { labels: { background: 0, a: 1, b: 3 } }, /without a gap, found 0, 1, 3/],
    ["fractions", { labels: { ...labels, c: 1.5 } }, /labels.c must be .* found 1.5/],
    ["negative labels", { labels: { ...labels, c: -1 } }, /labels.c must be .* found -1/],
    ["texts", { labels: { ...labels, c: "3" } }, /labels.c must be .* found "3"/],
    ["empty regions", { labels: { ...labels, c: [] } }, /labels.c must be .* found \[\]/],
    ["a label twice in a region", { labels: { ...labels, c: [1, 1] } }, /labels.c must be .* found \[1,1\]/],
    ["background alone", { labels: { background: 0 } }, /beside the background/],
    ["two names of a label", { labels: { ...labels, c: 1 } }, /label 1 must have one name, found a, c/],
    [
      "ignore below the highest",
      { labels: { background: 0, a: 2, ignore: 1 } },
      /labels.ignore must be .* 3 here/,
    ],
    ["ignore above a gap", { labels: { ...labels, ignore: 9 } }, /labels.ignore must be .* 3 here, found 9/],
    ["regions without order", { labels: brats.labels }, /one label for each of the 3 regions, found nothing/],
    [
      "an order of another length",
      { ...brats, regions_class_order: [1] },
      /each of the 3 regions, found \[1\]/,
    ],
    ["a foreign label in the order", { ...brats, regions_class_order: [1, 2, 9] }, /found 1, 2, 9/],
    [
      "an order that is no list",
      { ...brats, regions_class_order: "1" },
      /must be a list of labels, found "1"/,
    ],
    [
      "regions called by numbers",
      { labels: { background: 0, 1: [1, 2], b: 2 }, regions_class_order: [1, 2] },
      /no numbers, found 1/,
    ],
  ])("%s", (_, json, message) => {
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: "ERR_VOXELSPARK_FORMAT" }));
    expect(() => parse(json)).toThrow(message);
  });

  test("all faults at once", () => {
    expect(() => parse({ labels: { a: 1, b: 1, c: 5 } })).toThrow(/background.*gap.*one name/);
  });
});
