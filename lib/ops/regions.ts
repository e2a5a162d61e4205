import { requireArray } from "../arguments";

/** A label, or a region: the labels that it is made of. */
export type Region = number | readonly number[];

/** Regions as the kernels take them. */
export function regionAttributes(regions: readonly Region[], ignore: number | undefined) {
  requireArray(regions, "regions");
  const sets = regions.map((region, i): readonly number[] => {
    if (typeof region === "number") return [region];
    requireArray(region, `regions[${i}]`);
    return region;
  });
  return {
    labels: sets.flat(),
    sizes: sets.map((set) => set.length),
    ignore: ignore === undefined ? [] : [ignore],
  };
}
