/** Schedules that hold state, wherever an optimizer has them. */

/** A schedule with state: `reduceOnPlateau`. */
export interface Stateful {
  stateDict(): unknown;
  loadStateDict(state: unknown): void;
}

/** What of a group its schedules are found in. */
export interface CheckpointGroup {
  readonly name: string;
  readonly learningRate: unknown;
  readonly options: object;
}

const isStateful = (value: object): value is Stateful => "stateDict" in value && "loadStateDict" in value;

/** Those with state among the schedules of `groups`, also inside others, each once, in an order that is always the same. */
export function statefulSchedules(groups: readonly CheckpointGroup[]): readonly Stateful[] {
  const found = new Set<Stateful>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (typeof value !== "function") return;
    if (isStateful(value)) found.add(value);
    if ("members" in value) visit(value.members);
  };
  for (const { learningRate, options } of groups) {
    visit(learningRate);
    for (const [, value] of Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))) visit(value);
  }
  return [...found];
}
