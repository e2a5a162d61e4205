import { nearest, unknownArguments } from "../../lib/cli/suggestions";

const options = ["help", "h", "threads", "step-size", "stepSize", "steps", "batch", "nsd", "json"];

test.each([
  ["thread", "threads"],
  ["sttep-size", "step-size"],
  ["stpes", "steps"],
  ["batches", "batch"],
  ["nds", "nsd"],
  ["xyz", undefined],
  ["q", undefined],
])("%s: %s was meant", (wrong, meant) => {
  expect(nearest(wrong, options.slice(2))).toBe(meant);
});

test("unknown arguments are told once, with what was meant", () => {
  const tell = (message: string, first = "evaluate") => unknownArguments(message, first, options);
  expect(tell("Unknown arguments: sttep-size, sttepSize")).toBe(
    "Unknown argument: sttep-size. Did you mean --step-size?",
  );
  expect(tell("Unknown arguments: foo, stpes")).toBe("Unknown arguments: foo, stpes. Did you mean --steps?");
  expect(tell("Unknown argument: foo")).toBe("Unknown argument: foo");
  expect(tell("Unknown argument: frob", "frob")).toBe("'frob' is no command");
  expect(tell("Missing required argument: out")).toBe("Missing required argument: out");
});
