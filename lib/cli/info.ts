import type { CommandModule } from "yargs";
import { native } from "../binding";
import { log, printJson } from "./output";

export const info: CommandModule<object, { json?: boolean }> = {
  command: "info",
  describe: "Show version, processor features, threads and GPU",
  builder: (yargs) => yargs.option("json", { type: "boolean", describe: "Print JSON on stdout" }),
  handler: ({ json }) => {
    const { version } = require("../../package.json") as { version: string };
    const build = native.info();
    const result = { version, node: process.version, ...build };
    if (json) {
      printJson(result);
      return;
    }
    const gpu = build.cuda.deviceCount > 0 ? build.cuda.devices.join(", ") : `none (${build.cuda.reason})`;
    log(`voxelspark ${version}, Node ${process.version}`);
    log(`CPU: ${build.isa} of ${build.bestIsa}, ${build.threads} threads`);
    log(`GPU: ${gpu}`);
  },
};
