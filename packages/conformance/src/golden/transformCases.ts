/** Golden gradient transforms: gradients before and after. */

export interface GoldenTransformCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: readonly number[];
  }[];
  /** One per parameter; null where there is none. */
  readonly gradients: readonly (readonly number[] | null)[];
  readonly expected: readonly (readonly number[] | null)[];
  /** Of all gradients, before clipping. */
  readonly norm?: number;
}

export interface GoldenTransformFile {
  readonly schema: "thalweg/golden-transform/1";
  readonly transform: string;
  readonly convention?: string;
  readonly cases: readonly GoldenTransformCase[];
}
