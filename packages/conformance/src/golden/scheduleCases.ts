/** Golden schedules: the learning rate in force at each step. */

export interface GoldenScheduleCase {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly baseLr?: number;
  /** At step i, from 0. */
  readonly lr: readonly number[];
  readonly momentum?: readonly number[];
  /** Reported after step i. */
  readonly metrics?: readonly number[];
}

export interface GoldenScheduleFile {
  readonly schema: "thalweg/golden-schedule/1";
  readonly schedule: string;
  readonly convention?: string;
  readonly cases: readonly GoldenScheduleCase[];
}
