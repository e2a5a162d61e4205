/** Sizes, places, steps or spacings along (z, y, x), the axes D, H, W of a feature map. */
export type Triple = readonly [number, number, number];
