/**
 * Every error that voxelspark throws on purpose: a class, a stable `code` and a sentence that holds the
 * value found and the value allowed. Nothing in the library prints or exits.
 */

/** Stable machine-readable reasons. Each is raised somewhere and provoked by at least one test. */
export type ErrorCode =
  | "ERR_VOXELSPARK_NATIVE_LOAD"
  | "ERR_VOXELSPARK_TYPE"
  | "ERR_VOXELSPARK_RANGE"
  | "ERR_VOXELSPARK_SHAPE"
  | "ERR_VOXELSPARK_DISPOSED"
  | "ERR_VOXELSPARK_DEVICE"
  | "ERR_VOXELSPARK_OUT_OF_MEMORY"
  | "ERR_VOXELSPARK_NON_FINITE"
  | "ERR_VOXELSPARK_INTERNAL"
  | "ERR_VOXELSPARK_FORMAT"
  | "ERR_VOXELSPARK_TRUNCATED"
  | "ERR_VOXELSPARK_TOO_LARGE"
  | "ERR_VOXELSPARK_UNSUPPORTED"
  | "ERR_VOXELSPARK_GEOMETRY"
  | "ERR_VOXELSPARK_DATA"
  | "ERR_VOXELSPARK_EMPTY"
  | "ERR_VOXELSPARK_PLAN"
  | "ERR_VOXELSPARK_CHECKPOINT"
  | "ERR_VOXELSPARK_CHECKSUM"
  | "ERR_VOXELSPARK_LOCKED"
  | "ERR_VOXELSPARK_IO"
  | "ERR_VOXELSPARK_USAGE"
  | "ERR_VOXELSPARK_WORKER";

/** Base of all errors of this package, except wrong types and ranges, which are built-in TypeError / RangeError. */
export class VoxelsparkError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The native addon could not be loaded; the message names its file and the cure. */
export class NativeLoadError extends VoxelsparkError {}
/** Shapes that do not fit an operation. */
export class ShapeError extends VoxelsparkError {}
/** No such device, no such kernel on it, or a device that failed. */
export class DeviceError extends VoxelsparkError {}
/** Memory of a device or the pool's limit is used up. */
export class OutOfMemoryError extends VoxelsparkError {}
/** A loss or gradient that stayed non-finite. */
export class NonFiniteError extends VoxelsparkError {}
/** A file that is not what it claims to be: names the file, what was found, what was expected. */
export class FormatError extends VoxelsparkError {}
/** Spacing, orientation or affine of an image that cannot be right. */
export class GeometryError extends VoxelsparkError {}
/** Voxels or data sets that cannot be used: NaN, empty, unreadable. */
export class DataError extends VoxelsparkError {}
/** A plan with a wrong, missing or unknown field; the message holds its JSON path. */
export class PlanError extends VoxelsparkError {}
/** A checkpoint that is missing, damaged or of another model. */
export class CheckpointError extends VoxelsparkError {}
/** The operating system refused a file operation; names the path. */
export class IoError extends VoxelsparkError {}
/** A loader worker died or failed; names the case that it worked on. */
export class WorkerError extends VoxelsparkError {}

/** A value of the wrong JavaScript type, or a tensor used after `dispose()`. */
export class ArgumentTypeError extends TypeError {
  override readonly name = "ArgumentTypeError";
  constructor(
    message: string,
    readonly code: ErrorCode = "ERR_VOXELSPARK_TYPE",
  ) {
    super(message);
  }
}

/** A number outside the allowed range. */
export class ArgumentRangeError extends RangeError {
  override readonly name = "ArgumentRangeError";
  constructor(
    message: string,
    readonly code: ErrorCode = "ERR_VOXELSPARK_RANGE",
  ) {
    super(message);
  }
}
