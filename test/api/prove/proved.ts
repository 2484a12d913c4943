/**
 * A program to be proved: honest, or with something of its own that it forgets to save.
 *
 *   proved STORE FORM WAY[+WAY...] STEPS [EVERY]
 */
import { INTERNALS } from '../../../src/api/options.js';
import { Random, Snap } from '../../../src/index.js';

const [, , store, form, way, steps, every = '10'] = process.argv as [
  ...[node: string, script: string, store: string, form: string, way: string, steps: string],
  every?: string,
];
const LENGTH = 2000;

interface State {
  step: number;
  u: Float64Array;
  random: Random;
  log: string[];
  extra?: Float64Array;
}

function init(): State {
  return { step: 0, u: new Float64Array(LENGTH).fill(1), random: new Random(1), log: [] };
}

// What a program may have beside its state.
let calls = 0;
const began = Date.now();
const cache = new Map<number, number>();
const noise = (function* () {
  for (let n = 0.5; ; n += 0.25) yield n;
})();
let bound: Float64Array | undefined;

/** After `step` steps, `u[5]` is 1 + step and all else follows from the state, if the way is an honest one. */
function advance(state: State): void {
  const { u, random, step } = state;
  calls++;
  (u[5] as number)++;
  u[9] = random.normal();
  const forgetful: Record<string, () => void> = {
    honest: () => {},
    counter: () => {
      u[3] = calls;
    },
    late: () => {
      if (calls === 25) u[3] = -1;
    },
    random: () => {
      u[4] = Math.random();
    },
    slightly: () => {
      u[4] = 1 + Math.random() * 1e-13;
    },
    slow: () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    },
    time: () => {
      state.log[0] = String(Date.now() - began + Math.floor(performance.timeOrigin));
    },
    generator: () => {
      u[6] = noise.next().value as number;
    },
    cache: () => {
      if (!cache.has(7)) cache.set(7, step);
      u[7] = cache.get(7) as number;
    },
    bound: () => {
      bound ??= init().u;
      (bound[8] as number)++;
      u[8] = bound[8] as number;
    },
    payload: () => {
      new BigUint64Array(u.buffer)[11] = 0x7ff8_0000_0000_0000n + BigInt(calls);
    },
    form: () => {
      state.extra = new Float64Array(1000 + calls);
    },
    crash: () => {
      if (step === 15 && calls < 10) throw new RangeError('what a pity');
    },
    signal: () => {
      if (step === 15 && calls < 10) process.kill(process.pid, 'SIGTERM');
    },
    exit: () => {
      if (step === 15 && calls < 10) process.exit(0);
    },
  };
  for (const one of way.split('+')) forgetful[one]?.();
}

/** A policy is due only after hundreds of saves: so many more of each step are some before the second mark. */
const EXTRA_SAVES = 40;

/** Runs with a plain resume and save: `form` says what is odd about it. */
async function plainly(snap: Snap): Promise<void> {
  const anew = form === 'anew';
  const state = anew ? init() : await snap.resume(init);
  const cadence = form === 'drifting' && process.env.HOLDFAST_PROVE ? 7 : Number(every);
  while (state.step < Number(steps)) {
    advance(state);
    state.step++;
    if (state.step % cadence !== 0) continue;
    if (form === 'keeping') for (let extra = 0; extra < EXTRA_SAVES; extra++) await snap.save(state);
    await snap.save(state, form === 'stepless' ? {} : { step: state.step });
  }
}

if (form === 'elsewhere') {
  await (await Snap.open(`${store}.other`, { run: 'proved' })).close();
} else {
  const run = form === 'otherrun' ? 'another' : 'proved';
  const keeping = form === 'keeping' && { keep: { last: 1 }, [INTERNALS]: { keepPauseMs: 0 } };
  const snap = await Snap.open(store, { run, ...keeping });
  const save = { steps: Number(every) };
  const signals = { stop: [] };
  if (form === 'loop') {
    const step = (state: State) => {
      advance(state);
      state.step++;
    };
    await snap.loop({ init, step, steps: Number(steps), save, signals });
  } else if (form === 'timed') {
    const step = (state: State) => {
      advance(state);
      state.step++;
    };
    await snap.loop({ init, step, steps: Number(steps), save: { seconds: 3600 }, signals, whenDone: 'last' });
  } else if (form === 'iterated') {
    for await (const { state } of snap.loop({ init, steps: Number(steps), save, signals })) {
      advance(state);
      state.step++;
    }
  } else {
    await plainly(snap);
  }
  await snap.close();
}
console.log('it ended');
