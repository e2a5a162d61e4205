/** What a plan says, in a few words, and numbers as people read them. */
import { html, type Markup } from "./html";

/** Seconds as a person says them. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** 1.5 as "1.500"; nothing for what is no number. */
export function fixed(value: number | null | undefined, digits = 3): string {
  return typeof value === "number" && Number.isFinite(value) ? value.toFixed(digits) : "–";
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(share < 0.1 ? 1 : 0))} %`;
}

/** "160³", or "96 × 160 × 160". */
export function sizes(values: readonly number[]): string {
  return values.every((v) => v === values[0]) && values.length === 3 ? `${values[0]}³` : values.join(" × ");
}

export function spacing(value: unknown): string {
  if (value === null || value === undefined) return "each image's own";
  return Array.isArray(value) ? `${sizes(value as number[])} mm` : String(value);
}

/** The plan file, folded away. */
export function planText(plan: unknown): Markup {
  return html`<details><summary>The whole plan</summary><pre>${JSON.stringify(plan, null, 2)}</pre></details>`;
}
