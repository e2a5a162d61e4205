// The GPUs that the CUDA backend is compiled for, in CMake's words: VOXELSPARK_CUDA_ARCH, else those of this machine,
// else Ampere and Hopper.
const { spawnSync } = require("node:child_process");

// Ampere comes with PTX, which devices newer than this list compile at load time. wgmma needs sm_90a.
const targets = { 80: "80", 86: "86-real", 89: "89-real", "90a": "90a-real" };
const unknownMachine = ["80", "90a"];

/** The target for a compute capability, e.g. "8.6"; undefined where no kernel can run. */
function targetOf(capability) {
  const [major, minor] = capability.split(".").map(Number);
  if (!(major >= 8)) return undefined;
  if (major === 9) return "90a";
  return targets[`${major}${minor}`] ? `${major}${minor}` : "80"; // code of 8.0 runs on all of 8.x, its PTX on the rest
}

/** Compute capabilities of the machine's GPUs; none without a driver. */
function capabilities() {
  const asked = spawnSync("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"], {
    encoding: "utf8",
    timeout: 30_000, // a driver that does not answer must not stop an installation
  });
  return asked.status === 0 ? asked.stdout.split("\n").filter((line) => /^\d+\.\d+$/.test(line.trim())) : [];
}

/**
 * @param {string} wish "all", or some of 80, 86, 89 and 90a with commas between; empty: what the machine has
 * @param {() => string[]} found compute capabilities
 * @returns {string[]} keys of `targets`
 */
function architectures(wish = process.env.VOXELSPARK_CUDA_ARCH ?? "", found = capabilities) {
  if (wish === "all") return Object.keys(targets);
  if (wish) {
    const list = wish.split(/[,;]/);
    const wrong = list.find((name) => !targets[name]);
    if (wrong !== undefined)
      throw new RangeError(
        `VOXELSPARK_CUDA_ARCH is '${wish}', allowed are all, or some of ${Object.keys(targets).join(", ")} with commas between`,
      );
    return [...new Set(list)];
  }
  const own = [...new Set(found().map((c) => targetOf(c.trim())))].filter(Boolean);
  return own.length ? own : unknownMachine;
}

const forCMake = (names) => names.map((name) => targets[name]).join(";");

/** nvcc's options for the same. */
const forNvcc = (names) =>
  names.flatMap((name) => {
    const code = name === "80" ? "[sm_80,compute_80]" : `sm_${name}`;
    return ["-gencode", `arch=compute_${name},code=${code}`];
  });

module.exports = { architectures, forCMake, forNvcc, targetOf };
