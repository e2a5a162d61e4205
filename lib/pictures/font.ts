/**
 * A small proportional bitmap font, so that pictures need neither fonts nor a browser. Every glyph is drawn
 * on 5 columns: one base-32 digit a row from the top, 7 rows to the baseline, up to 2 more below it.
 */
// biome-ignore format: a table is easier to compare by eye
const ROWS: Record<string, string> = {
  A: "ehhvhhh", B: "uhhuhhu", C: "ehggghe", D: "uhhhhhu", E: "vgguggv", F: "vgguggg", G: "ehgnhhf",
  H: "hhhvhhh", I: "e44444e", J: "72222ic", K: "hikokih", L: "ggggggv", M: "hrllhhh", N: "hhpljhh",
  O: "ehhhhhe", P: "uhhuggg", Q: "ehhhlid", R: "uhhukih", S: "fgge11u", T: "v444444", U: "hhhhhhe",
  V: "hhhhha4", W: "hhhllla", X: "hha4ahh", Y: "hhha444", Z: "v1248gv",
  a: "00e1fhf", b: "ggmphhu", c: "00egghe", d: "11djhhf", e: "00ehvge", f: "698s888", g: "00fhhhf1e",
  h: "ggmphhh", i: "40c444e", j: "2062222ic", k: "ggikoki", l: "c44444e", m: "00qllhh", n: "00mphhh",
  o: "00ehhhe", p: "00uhhhugg", q: "00fhhhf11", r: "00mpggg", s: "00fge1u", t: "88s8896", u: "00hhhjd",
  v: "00hhha4", w: "00hhlla", x: "00ha4ah", y: "00hhhhf1e", z: "00v248v",
  0: "ehjlphe", 1: "4c4444e", 2: "eh1248v", 3: "v2421he", 4: "26aiv22", 5: "vgu11he", 6: "68guhhe",
  7: "v124888", 8: "ehhehhe", 9: "ehhf12c",
  ".": "00000cc", ",": "000000c48", ":": "0cc0cc0", "-": "000v000", "+": "044v440", "=": "00v0v00",
  "/": "01248g0", "(": "2488842", ")": "8422248", "[": "e88888e", "]": "e22222e", "%": "op248j3",
  _: "000000v", "<": "248g842", ">": "8421248", "*": "04lel40", "'": "c480000", '"': "aaa0000",
  "#": "aavavaa", "!": "4444404", "?": "eh12404", "&": "cik8lid", "|": "4444444", "~": "008l200",
  "×": "0ha4ah0", "·": "000cc00", "²": "c248e00", "³": "c242c00", "°": "ciic000", "±": "44v440v",
};

const SPACE = 3; // columns
const UNKNOWN = "vhhhhhv";

/** Rows above the baseline, and the most below it. */
export const ASCENT = 7;
export const DESCENT = 2;

export interface Glyph {
  width: number;
  /** Set pixels as [column, row from the top]. */
  pixels: readonly (readonly [number, number])[];
}

const glyphs = new Map<string, Glyph>([[" ", { width: SPACE, pixels: [] }]]);

/** Unknown characters are an empty box. */
export function glyph(character: string): Glyph {
  const known = glyphs.get(character);
  if (known !== undefined) return known;
  const made = decode(ROWS[character] ?? UNKNOWN);
  glyphs.set(character, made);
  return made;
}

/** Columns of a line of text, one column between characters. */
export function textColumns(text: string): number {
  const columns = [...text].reduce((sum, character) => sum + glyph(character).width + 1, 0);
  return Math.max(0, columns - 1);
}

function decode(rows: string): Glyph {
  const set: [number, number][] = [];
  [...rows].forEach((digit, row) => {
    const bits = Number.parseInt(digit, 32);
    for (let column = 0; column < 5; column++) if (bits & (16 >> column)) set.push([column, row]);
  });
  const left = Math.min(...set.map(([column]) => column));
  const right = Math.max(...set.map(([column]) => column));
  return { width: right - left + 1, pixels: set.map(([column, row]) => [column - left, row]) };
}
