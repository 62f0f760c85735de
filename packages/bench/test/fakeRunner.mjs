/** A runner for tests that computes nothing: its argument says what it answers, and at which request it misbehaves. */
import { createInterface } from "node:readline";

const {
  values = [1, 2, 3],
  reason,
  milliseconds = 10,
  misbehave = {},
  device,
  limits,
} = JSON.parse(process.argv[2] ?? "{}");

const answers = {
  load: ({ threads = 1, options }) => ({
    kind: "loaded",
    description: `fake ${options.name ?? ""}`.trim(),
    threads,
    ...(device ? { device } : {}),
  }),
  start: () => ({ kind: "started", ...(reason ? { reason } : {}) }),
  run: () => ({ kind: "ran" }),
  measure: () => ({ kind: "measured", milliseconds: 4 * milliseconds, runs: 4 }),
  check: () => ({ kind: "checked", values }),
  memory: () => ({ kind: "memory", peakBytes: 1_000_000, ...(device ? { deviceBytes: 5_000_000 } : {}) }),
  dispatch: () => ({ kind: "dispatched", microseconds: 2.5 }),
  limits: () => (limits ? { kind: "limits", limits } : { kind: "failed", message: "no device" }),
};

const misbehaviours = {
  garbage: () => process.stdout.write("hello, world\n"),
  wrongAnswer: () => process.stdout.write('{"kind":"ran"}\n'),
  nothing: () => undefined,
  fail: () => process.stdout.write('{"kind":"failed","message":"no such kernel"}\n'),
  crash: () => {
    process.stderr.write(`${"x".repeat(10_000)}\nSegmentation fault\n`, () => process.exit(3));
  },
  kill: () => process.kill(process.pid, "SIGKILL"),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const misbehaviour = misbehave[request.kind];
  if (misbehaviour) misbehaviours[misbehaviour]();
  else process.stdout.write(`${JSON.stringify(answers[request.kind](request))}\n`);
}
