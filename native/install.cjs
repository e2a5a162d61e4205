// Builds the CPU addon with node-gyp against local headers.
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const prefix = [path.join(path.dirname(process.execPath), ".."), "/usr", "/usr/local"].find((p) =>
  fs.existsSync(path.join(p, "include/node/node_api.h")),
);
const gyp = process.env.npm_config_node_gyp ?? require.resolve("node-gyp/bin/node-gyp.js");
const args = [
  gyp,
  fs.existsSync("build/Makefile") ? "build" : "rebuild",
  "-j",
  "2",
  ...(prefix ? [`--nodedir=${prefix}`] : []),
];
process.exit(spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1);
