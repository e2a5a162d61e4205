/** What a plan says, in a few words, and numbers as people read them. */
import type { Plan } from "../plans/plan";
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

/** Voxel size as a plan states it: "1 mm", "1 × 0.5 × 0.5 mm", "median". */
export function spacing(value: Plan["preprocessing"]["spacing"]): string {
  if (value === null) return "each image's own";
  if (typeof value === "string") return value;
  return `${value.every((v) => v === value[0]) ? value[0] : value.join(" × ")} mm`;
}

/** The plan file, folded away. */
export function planText(plan: unknown): Markup {
  return html`<details><summary>The whole plan</summary><pre>${JSON.stringify(plan, null, 2)}</pre></details>`;
}
