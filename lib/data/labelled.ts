/** Labelled patches for fine-tuning: what a run asks for. */

export interface LabelledBatch {
  /** (N, C, D, H, W), normalised. */
  readonly images: Float32Array;
  /** (N, 1, D, H, W); -1 outside of the image. */
  readonly labels: Float32Array;
  /** How long the step had to wait for it. */
  readonly waitSeconds: number;
}

/** A whole preprocessed case. */
export interface LabelledCase {
  readonly name: string;
  readonly image: Float32Array; // (C, D, H, W)
  readonly label: Float32Array; // (D, H, W)
  readonly channels: number;
  readonly size: readonly [number, number, number];
}

export interface LabelledSource {
  /** Of the cases and how they were made; another one means other numbers. */
  readonly fingerprint: string;
  /** Cases that train and that validate. */
  readonly counts: { readonly training: number; readonly validation: number };
  /** A pure function of (seed, step): augmented, a share centred on foreground. Steps are asked for in order. */
  batch(step: number): Promise<LabelledBatch>;
  /** Every validation case as a whole, one at a time. */
  validationCases(): AsyncIterable<LabelledCase>;
  /** Fixed patches of the validation cases, never augmented: batch `index` of them. */
  validationBatch(index: number): Promise<LabelledBatch>;
  close(): Promise<void>;
}
