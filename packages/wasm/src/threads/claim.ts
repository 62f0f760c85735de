/**
 * The part of a module that shares the tasks of a launch among threads. The caller publishes a launch as one 64-bit word:
 * the launch's ordinal and the number of tasks not yet claimed. Whoever swaps the word for one less has claimed a task, and
 * until that task is done the caller cannot go on, so that all it says about the launch (control.ts) holds still. Nobody
 * waits for a worker that sleeps: the caller starts at once and does alone what no one else claims.
 */
import {
  atomic,
  callEffect,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Local,
  type ModuleBuilder,
} from "../emit/index.ts";
import { control } from "./control.ts";

/** Looks at the memory between two launches before a worker goes to sleep: some 100 µs. */
const workerSpins = 60_000;
/** Looks at `done` before the caller sleeps. */
const callerSpins = 30_000;
/** The caller looks again after so many nanoseconds, whatever happens. */
const callerTimeout = 1_000_000n;

type I32 = Expression<"i32">;

const remainingOf = (work: Expression<"i64">): I32 => i32.wrapI64(work);

/** `perform`: (launch, task, thread, table). */
function claim(f: FunctionBuilder, work: Local<"i64">, claimed: () => void): void {
  const swapped = atomic.i64CompareExchange(0, work, i64.sub(work, 1n), control.work);
  f.if(i64.eq(swapped, work), claimed);
}

function finish(f: FunctionBuilder): void {
  f.drop(atomic.i32Add(0, 1, control.done));
}

/**
 * (launch, tasks, table): all tasks of a launch, done when it returns. `mayWait`: the calling thread is allowed to sleep,
 * which the main thread of a browser is not.
 */
export function emitParallel(module: ModuleBuilder, perform: FunctionReference, mayWait: boolean): FunctionReference {
  return module.function(["i32", "i32", "i32"], [], (f) => {
    const [launch, tasks, table] = [f.parameter(0, "i32"), f.parameter(1, "i32"), f.parameter(2, "i32")];
    f.do(i32.store(0, launch, control.launch));
    f.do(i32.store(0, tasks, control.tasks));
    f.do(i32.store(0, table, control.table));
    const target = f.let(i32.add(atomic.i32Load(0, control.done), tasks));
    f.do(i32.store(0, target, control.target));
    const epoch = i64.add(i64.shrU(atomic.i64Load(0, control.work), 32n), 1n);
    f.do(atomic.i64Store(0, i64.or(i64.shl(epoch, 32n), i64.extendI32U(tasks)), control.work));
    f.if(atomic.i32Load(0, control.sleepers), () => {
      f.drop(atomic.i32Add(0, 1, control.wake));
      f.drop(atomic.notify(0, -1, control.wake));
    });
    const work = f.local("i64");
    f.loop((again) => {
      f.set(work, atomic.i64Load(0, control.work));
      f.if(remainingOf(work), () => {
        claim(f, work, () => {
          f.do(i32.store(0, 1, control.own));
          f.do(callEffect(perform, [launch, i32.sub(tasks, remainingOf(work)), i32.const(0), table]));
          f.do(i32.store(0, 0, control.own));
          finish(f);
        });
        f.br(again);
      });
    });
    const spins = f.local("i32");
    const done = f.local("i32");
    f.loop((again) => {
      f.set(done, atomic.i32Load(0, control.done));
      f.if(i32.ne(done, target), () => {
        f.set(spins, i32.add(spins, 1));
        if (mayWait) {
          f.if(i32.gtU(spins, callerSpins), () => {
            f.do(atomic.i32Store(0, 1, control.waiting));
            f.drop(atomic.wait32(0, done, callerTimeout, control.done));
            f.do(atomic.i32Store(0, 0, control.waiting));
          });
        }
        f.br(again);
      });
    });
  });
}

/**
 * (executable, thread): what a worker does as long as that executable is the one that runs; returns when another is. A
 * worker that finds nothing to do looks for a while and then sleeps.
 */
export function emitWork(module: ModuleBuilder, perform: FunctionReference): FunctionReference {
  return module.function(["i32", "i32"], [], (f) => {
    const [executable, thread] = [f.parameter(0, "i32"), f.parameter(1, "i32")];
    const work = f.local("i64");
    const spins = f.local("i32");
    const seen = f.local("i32");
    f.loop((again) => {
      f.set(work, atomic.i64Load(0, control.work));
      // Read after the word: if it is still this executable, a claim of that word is a claim of this executable's task.
      f.if(i32.ne(atomic.i32Load(0, control.executable), executable), () => f.return());
      f.if(
        remainingOf(work),
        () => {
          claim(f, work, () => {
            const task = i32.sub(i32.load(0, control.tasks), remainingOf(work));
            f.do(callEffect(perform, [i32.load(0, control.launch), task, thread, i32.load(0, control.table)]));
            finish(f);
            f.if(atomic.i32Load(0, control.waiting), () => f.drop(atomic.notify(0, 1, control.done)));
          });
          f.set(spins, i32.const(0));
        },
        () => {
          f.set(spins, i32.add(spins, 1));
          f.if(i32.gtU(spins, workerSpins), () => {
            f.set(spins, i32.const(0));
            f.set(seen, atomic.i32Load(0, control.wake));
            f.drop(atomic.i32Add(0, 1, control.sleepers));
            // Work published before the caller could see a sleeper would not wake one.
            f.if(
              i32.and(
                i32.eqz(remainingOf(atomic.i64Load(0, control.work))),
                i32.eq(atomic.i32Load(0, control.executable), executable),
              ),
              () => f.drop(atomic.wait32(0, seen, -1n, control.wake)),
            );
            f.drop(atomic.i32Add(0, -1, control.sleepers));
          });
        },
      );
      f.br(again);
    });
  });
}
