/** The arguments of any launch, in the order its native counterpart takes them. */
import type { Argument, Launch } from "./launch.ts";

const none: Argument = { kind: "number", value: 0 };

export function argumentsOf(launch: Launch): readonly Argument[] {
  switch (launch.kind) {
    case "kernel":
      return launch.arguments;
    case "fill":
      return [launch.to];
    case "product":
      return [launch.a, launch.b, launch.c ?? none, launch.d, launch.bias ?? none, launch.workspace];
    default:
      return launch satisfies never;
  }
}
