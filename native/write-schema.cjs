// Writes lib/schema.gen.ts from the addon's registry: kernel numbers and the types of their attributes.
//   node native/write-schema.cjs [--check]
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const types = {
  integer: "number",
  number: "number",
  boolean: "boolean",
  triple: "readonly [number, number, number]",
  numbers: "readonly number[]",
  mask: "BlockMask | undefined",
};

function source(kernels) {
  const ids = kernels.map((k, i) => `  ${k.name}: ${i},`);
  const attributes = kernels.map((k) => {
    const fields = Object.entries(k.attributes).map(
      ([name, a]) => `    /** Default ${a.default}. */\n    ${name}?: ${types[a.type]};`,
    );
    return `  /** (${k.inputs}) -> (${k.outputs}) */\n  ${k.name}: {${fields.length ? `\n${fields.join("\n")}\n  ` : ""}};`;
  });
  return `// Generated from native/ops/ops.def by \`npm run schema\`. Do not edit.
import type { BlockMask } from "./block-mask";

export const kernelIds = {
${ids.join("\n")}
} as const;

export interface KernelAttributes {
${attributes.join("\n")}
}
`;
}

const file = path.join(root, "lib", "schema.gen.ts");
const text = source(JSON.parse(require(path.join(root, "build", "Release", "voxelspark.node")).schema()));
if (process.argv[2] === "--check") {
  if (fs.readFileSync(file, "utf8") !== text)
    throw new Error("lib/schema.gen.ts is stale: run `npm run schema`");
} else fs.writeFileSync(file, text);
