/** Runs a loop as its task says, and tells what happens. Its steps compute for so long and never yield by themselves. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type CadenceOptions, type LoopContext, type SignalOptions, Snap } from '../../../src/index.js';
import { advance, init, type Walk } from '../loop/walk.js';

export interface LoopTask {
  path: string;
  run?: string;
  form: 'sync' | 'async' | 'replacing' | 'iterable';
  steps?: number;
  /** How long each step computes, and the one with the number `longStep`; -1: it waits for ever. */
  stepMs: number;
  longStep?: number;
  longMs?: number;
  /** In the long step the process sends itself SIGINT, and once more as soon as that is heard. */
  interruptsItself?: boolean;
  save?: CadenceOptions;
  signals?: SignalOptions;
  /** Runs two loops, in runs of their own, at the same time; each step of the second one waits for a while. */
  both?: boolean;
}

export type Told =
  | { begun: number; restarts: number; elapsedMs: number }
  | { step: number }
  | { captured: number }
  | { durable: number }
  | { survived: number }
  | { ended: { reason: string; signal: string | undefined; step: number } };

const task = JSON.parse(process.argv[2] as string) as LoopTask;

function tell(message: Told): void {
  process.send?.(message);
}

function compute(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

async function interruptTwice(heard: AbortSignal): Promise<void> {
  process.kill(process.pid, 'SIGINT');
  while (!heard.aborted) await new Promise(setImmediate);
  const since = performance.now();
  process.kill(process.pid, 'SIGINT');
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  tell({ survived: performance.now() - since });
}

async function loopOf(run: string): Promise<void> {
  const snap = await Snap.open(task.path, { run });
  let begun = false;
  const step = (state: Walk, loop: LoopContext) => {
    if (!begun) tell({ begun: loop.step, restarts: loop.restarts, elapsedMs: loop.elapsedMs });
    begun = true;
    if (loop.step % 5 === 0) tell({ step: loop.step });
    if (loop.step === task.longStep) tell({ step: loop.step });
    compute(loop.step === task.longStep ? (task.longMs ?? 0) : task.stepMs);
    advance(state);
  };
  const common = {
    init,
    steps: task.steps,
    save: task.save,
    signals: task.signals,
    on: {
      beforeCapture: (_: Walk, loop: LoopContext) => tell({ captured: loop.step }),
      durable: ({ step = -1 }: { step: number | undefined }) => tell({ durable: step }),
    },
  };
  let result: { reason: string; signal: string | undefined; step: number } | undefined;
  if (task.form === 'iterable') {
    const loop = snap.loop(common);
    for await (const { state, loop: context } of loop) step(state, context);
    result = loop.result;
  } else {
    const steps = {
      sync: step,
      async: async (state: Walk, loop: LoopContext) => {
        const isLong = loop.step === task.longStep;
        step(state, loop);
        if (run === 'two') await sleep(200);
        if (isLong && task.interruptsItself) await interruptTwice(loop.signal);
        else if (isLong && task.longMs === -1) await new Promise((resolve) => setTimeout(resolve, 2 ** 30));
      },
      replacing: (state: Walk, loop: LoopContext) => {
        const next = structuredClone(state);
        step(next, loop);
        return next;
      },
    };
    result = await snap.loop({ ...common, step: steps[task.form] });
  }
  if (result) tell({ ended: { reason: result.reason, signal: result.signal, step: result.step } });
  await snap.close();
}

if (task.both) await Promise.all([loopOf('one'), loopOf('two')]);
else await loopOf(task.run ?? 'main');
process.disconnect?.();
