/** The frame of every page: one file that asks for nothing, runs nothing and can be sent by mail. */
import { html, Markup } from "./html";
import { STYLE } from "./style";

export interface Tile {
  label: string;
  value: string;
  note?: string | undefined;
}

export interface Section {
  title: string;
  /** One sentence about how to read it. */
  note?: string | undefined;
  body: Markup | readonly Markup[];
}

export interface Page {
  /** What kind of page this is, e.g. "Pre-training run". */
  kicker: string;
  title: string;
  /** Short states beside each other, e.g. "finished". */
  chips: readonly { text: string; tone?: "good" | "warn" | "bad" }[];
  lead?: string | undefined;
  tiles: readonly Tile[];
  sections: readonly Section[];
  footer: string;
}

// Even if something slipped through the escaping, a browser would neither run nor load it.
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The whole page as text. */
export function renderPage(page: Page): string {
  const { title, kicker } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="voxelspark">
<title>${title}: ${kicker.toLowerCase()}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<header>
<p class="kicker">${kicker}</p>
<h1>${title}</h1>
<div>${page.chips.map(({ text, tone }) => html`<span class="chip${tone ? ` ${tone}` : ""}">${text}</span>`)}</div>
${page.lead && html`<p class="lead">${page.lead}</p>`}
${page.tiles.length > 0 && html`<div class="tiles">${page.tiles.map(tile)}</div>`}
</header>
${page.sections.map(section)}
<footer>${page.footer}</footer>
</main>
</body>
</html>
`.text;
}

function tile({ label, value, note }: Tile): Markup {
  return html`<div class="tile"><span>${label}</span><b>${value}</b>${note && html`<small>${note}</small>`}</div>`;
}

function section({ title, note, body }: Section): Markup {
  return html`<section>
<h2>${title}</h2>
${note && html`<p class="note">${note}</p>`}
${body}
</section>
`;
}

/** Names and values side by side. */
export function facts(rows: readonly (readonly [name: string, value: string])[]): Markup {
  return html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** By what, when and of what a page was made. @param about e.g. "from run/" */
export function footer(about: string): string {
  const { version } = require("../../package.json") as { version: string };
  return `Made by voxelspark ${version} on ${new Date().toISOString().slice(0, 10)} ${about}.`;
}

/** Something that is not there, and why. */
export function absent(text: string): Markup {
  return html`<p class="absent">${text}</p>`;
}
