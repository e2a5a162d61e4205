/**
 * Probabilities of a case as one .npy file, float32 (K, D, H, W) in the grid of the image, for numpy.load. Rows along z
 * are written where they belong as they come, so that no more than one of them is in memory.
 */
import type { PendingFile } from "../pending-file";
import type { CaseGrid, ProbabilitySink } from "./label-painter";

/** Header of NumPy's format 1.0, padded to a multiple of 64 bytes. */
function npyHeader(shape: readonly number[]): Buffer {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = Buffer.alloc(length, " ", "latin1");
  header.write("\x93NUMPY\x01\x00", "latin1");
  header.writeUInt16LE(length - 10, 8);
  header.write(dictionary, 10, "latin1");
  header.write("\n", length - 1, "latin1");
  return header;
}

/**
 * Writes the header and everything outside of the cropped box, where the background is certain and regions are absent.
 * @param background channel of the background; undefined for regions
 * @returns what takes the rows of the box
 */
export async function probabilitySink(
  file: PendingFile,
  channels: number,
  background: number | undefined,
  { shapes, crop }: CaseGrid,
): Promise<ProbabilitySink> {
  const [depth, height, width] = shapes.source;
  const header = npyHeader([channels, depth, height, width]);
  const plane = new Float32Array(height * width);
  const write = (k: number, z: number) =>
    file.write(new Uint8Array(plane.buffer), header.length + (k * depth + z) * plane.byteLength);
  await file.write(header, 0);
  for (let z = 0; z < depth; z++) {
    if (z >= crop.start[0] && z < crop.start[0] + shapes.cropped[0]) continue;
    for (let k = 0; k < channels; k++) {
      plane.fill(k === background ? 1 : 0);
      await write(k, z);
    }
  }
  return async (row, probabilities) => {
    const [, rows, columns] = shapes.cropped;
    for (let k = 0; k < channels; k++) {
      plane.fill(k === background ? 1 : 0);
      for (let y = 0; y < rows; y++) {
        const from = (k * rows + y) * columns;
        plane.set(probabilities.subarray(from, from + columns), (crop.start[1] + y) * width + crop.start[2]);
      }
      await write(k, crop.start[0] + row);
    }
  };
}
