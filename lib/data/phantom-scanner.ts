/** How a scanner shows the tissues of a synthetic head: brightness, shading and noise. */
import type { Random } from "../random";

export type TissueName =
  | "air"
  | "skin"
  | "skull"
  | "fluid"
  | "grey"
  | "white"
  | "ventricle"
  | "nuclei"
  | "lesion";

export interface Scanner {
  readonly brightness: Readonly<Record<TissueName, number>>;
  /** Deviation of the shading, as a share of the brightness. */
  readonly shading: number;
  /** Deviation of the noise; brightness is between 0 and about 210. */
  readonly noise: number;
}

/** T1-like: white matter brighter than grey matter brighter than fluid, and each structure of its own. */
export const T1: Scanner = {
  brightness: {
    air: 0,
    skin: 210,
    skull: 35,
    fluid: 45,
    grey: 120,
    white: 175,
    ventricle: 40,
    nuclei: 138,
    lesion: 85,
  },
  shading: 0.2,
  noise: 4.5,
};

/** Of fluid, grey and white matter as T1, T2 and FLAIR show them: parts of the way from dark to bright. */
const SEQUENCES = [
  { fluid: 0, grey: 0.55, white: 1 },
  { fluid: 1, grey: 0.45, white: 0 },
  { fluid: 0, grey: 1, white: 0.5 },
] as const;

/** "T1": one scanner for all heads. "varied": a T1-like one for each head. "mixed": T1, T2 or FLAIR as drawn. */
export const SCANNERS = ["T1", "varied", "mixed"] as const;
export type Scanners = (typeof SCANNERS)[number];

/**
 * The scanner of a head: contrast, shading and noise of its own, unless all heads share one. Then deep nuclei have the
 * brightness of the cortex and ventricles that of the fluid around the brain: only place and shape tell them apart.
 */
export function drawScanner(scanners: Scanners, random: Random): Scanner {
  if (scanners === "T1") return T1;
  const sequence = SEQUENCES[scanners === "mixed" ? random.int(SEQUENCES.length) : 0]!;
  const dark = random.uniformIn(30, 80);
  const range = random.uniformIn(80, 130);
  const level = (part: number) => dark + range * (part + random.uniformIn(-0.08, 0.08));
  const [fluid, grey, white] = [level(sequence.fluid), level(sequence.grey), level(sequence.white)];
  return {
    brightness: {
      ...{ air: 0, skin: random.uniformIn(90, 210), skull: random.uniformIn(15, 60) },
      ...{ fluid, grey, white, ventricle: fluid, nuclei: grey, lesion: (fluid + grey) / 2 },
    },
    shading: random.uniformIn(0.15, 0.35),
    noise: random.uniformIn(3, 9),
  };
}
