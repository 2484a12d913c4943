/** Signals, in processes of their own: a last durable save and the conventional status, also where no step ever yields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snap as command } from '../../cli/support.js';
import type { LoopTask, Told } from '../programs/looper.js';
import type { Ended } from '../support.js';
import { collect, ended, startProgram, storePath } from '../support.js';
import { stepsOf, straight, withSnap } from './walk.js';

/** Longer than the tests: nothing is saved unless it is asked for. */
const RARELY = { seconds: '1h' };

interface Life extends Ended {
  told: Told[];
  /** Of the last snapshot told to be durable. */
  durable: number;
}

/** Runs a task; `hear` is called with what it tells, and may send it signals. */
async function run(
  task: Partial<LoopTask> & { path: string },
  hear: (message: Told, kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Life> {
  const child = startProgram('looper', [
    JSON.stringify({ form: 'sync', stepMs: 1, save: RARELY, ...task } satisfies LoopTask),
  ]);
  const told: Told[] = [];
  child.on('message', (message: Told) => {
    told.push(message);
    hear(message, (signal) => child.kill(signal));
  });
  const end = await ended(child);
  const durable = told.flatMap((message) => ('durable' in message ? [message.durable] : [])).at(-1) ?? -1;
  return { ...end, told, durable };
}

/** Sends a signal once, when a step is begun that is told. */
function at(step: number, signal: NodeJS.Signals) {
  let sent = false;
  return (message: Told, kill: (signal: NodeJS.Signals) => void) => {
    if (sent || !('step' in message) || message.step < step) return;
    sent = true;
    kill(signal);
  };
}

async function isWhole(path: string, durable: number): Promise<void> {
  await withSnap(path, async (snap) => {
    assert.deepEqual(await stepsOf(snap), [durable]);
    assert.deepEqual(await snap.restore(), straight(durable));
  });
}

for (const [signal, status] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} to a loop that never yields: a last durable save, and status ${status}`, async (t) => {
    const path = storePath(t);
    const { code, signal: by, durable } = await run({ path }, at(20, signal));
    assert.deepEqual([code, by], [status, null]);
    assert.ok(durable > 20);
    await isWhole(path, durable);
  });
}

for (const form of ['async', 'replacing', 'iterable'] as const) {
  test(`SIGTERM to a loop in the form ${form}`, async (t) => {
    const path = storePath(t);
    const { code, durable } = await run({ path, form }, at(20, 'SIGTERM'));
    assert.equal(code, 143);
    await isWhole(path, durable);
  });
}

test('a signal of the caller stops the loop, others keep their default; with exit: false the loop returns', async (t) => {
  const path = storePath(t);
  const stop = ['SIGUSR2', 'SIGHUP'] as const;
  const hup = await run({ path, signals: { stop } }, at(20, 'SIGHUP'));
  assert.equal(hup.code, 129);
  const term = await run({ path, signals: { stop } }, at(hup.durable + 20, 'SIGTERM'));
  assert.deepEqual([term.code, term.signal, term.durable], [null, 'SIGTERM', -1]);
  const returned = await run({ path, signals: { stop, exit: false } }, at(hup.durable + 20, 'SIGUSR2'));
  assert.equal(returned.code, 0, returned.stderr);
  const step = returned.durable;
  assert.deepEqual(returned.told.at(-1), { ended: { reason: 'signal', signal: 'SIGUSR2', step } });
  await withSnap(path, async (snap) => assert.deepEqual(await snap.restore(), straight(step)));
});

test('a signal to save: a durable save in the midst of the loop, which goes on; SIGUSR1 starts no inspector', async (t) => {
  const path = storePath(t);
  for (const signal of ['SIGUSR2', 'SIGUSR1'] as const) {
    const hear = at(0, signal);
    let first: number | undefined;
    let ended = false;
    const life = await run({ path, signals: { save: [signal] } }, (message, kill) => {
      hear(message, kill);
      if ('durable' in message) first ??= message.durable;
      if (ended || !('step' in message) || first === undefined || message.step <= first + 10) return;
      ended = true;
      kill('SIGTERM');
    });
    assert.equal(life.code, 143);
    assert.doesNotMatch(life.stderr, /debugger|inspector/i);
    assert.ok(first !== undefined && first < life.durable);
    await withSnap(path, async (snap) =>
      assert.deepEqual((await stepsOf(snap)).slice(-2), [first, life.durable]),
    );
  }
});

/** A step that never ends, while the event loop turns. */
const STUCK = { form: 'async', save: { steps: 10 }, longStep: 35, longMs: -1 } as const;

test('a second SIGINT ends the process at once, in the midst of a step; the newest durable snapshot stands', async (t) => {
  const path = storePath(t);
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  const life = await run({ path, ...STUCK }, (message, kill) => {
    if (!('durable' in message) || message.durable !== 30) return;
    // Where the machine is busy two of them may be heard at once, and taken for one.
    timer = setInterval(() => {
      sent++;
      kill('SIGINT');
    }, 400);
  });
  clearInterval(timer);
  assert.deepEqual([life.code, life.signal], [null, 'SIGINT']);
  assert.ok(sent > 1);
  await withSnap(path, async (snap) => assert.deepEqual(await stepsOf(snap), [10, 20, 30]));
});

test('a SIGINT that comes twice, as through npm, is one', async (t) => {
  const path = storePath(t);
  const task = { path, form: 'async', longStep: 20, interruptsItself: true } as const;
  let life = await run(task, () => {});
  // A machine so busy that a fifth of a second lies between the two may be excused, but not each time.
  for (let round = 0; life.signal === 'SIGINT' && round < 3; round++) life = await run(task, () => {});
  assert.deepEqual([life.code, life.signal], [130, null]);
  assert.ok(life.told.some((message) => 'survived' in message));
  await isWhole(path, life.durable);
});

test('grace: what takes longer is left behind, with a message; the newest durable snapshot stands', async (t) => {
  const path = storePath(t);
  const died = await run({ path, ...STUCK, signals: { grace: 0.5 } }, (message, kill) => {
    if ('durable' in message && message.durable === 30) kill('SIGTERM');
  });
  assert.deepEqual([died.code, died.signal], [null, 'SIGTERM']);
  assert.match(died.stderr, /SNAP_GRACE.*still at step 35 500 ms after SIGTERM.*\(step 30\)/);
  const thrown = await run({ path, ...STUCK, signals: { grace: 0.5, exit: false } }, at(35, 'SIGTERM'));
  assert.deepEqual([thrown.code, thrown.signal], [1, null]);
  assert.match(thrown.stderr, /SnapError.*still at step 35 500 ms after SIGTERM.*\(step 30\)/s);
  await withSnap(path, async (snap) => assert.deepEqual(await stepsOf(snap), [10, 20, 30]));
});

test('grace: what takes less long is waited for', async (t) => {
  const path = storePath(t);
  const task = { path, longStep: 35, longMs: 700 } as const;
  for (const form of ['sync', 'async'] as const) {
    const life = await run(
      { ...task, path: `${path}-${form}`, form, signals: { grace: 60 } },
      at(35, 'SIGTERM'),
    );
    assert.equal(life.code, 143);
    assert.ok(life.durable >= 36);
  }
});

test('two loops in one process: it ends when both have made their last state durable', async (t) => {
  const path = storePath(t);
  const terminate = at(20, 'SIGTERM');
  let begun = 0;
  const { code } = await run({ path, both: true, form: 'async' }, (message, kill) => {
    if ('begun' in message) begun++;
    if (begun === 2) terminate(message, kill);
  });
  assert.equal(code, 143);
  for (const run of ['one', 'two']) {
    await withSnap(path, async (snap) => {
      const [info] = await collect(snap.list({ run }));
      assert.deepEqual(await snap.restore(info?.id), straight(info?.step ?? -1));
    });
  }
});

test('snap checkpoint is answered by a loop that never yields', async (t) => {
  const path = storePath(t);
  const child = startProgram('looper', [
    JSON.stringify({ path, form: 'sync', stepMs: 1, save: RARELY } satisfies LoopTask),
  ]);
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.once('message', resolve));
  const steps: number[] = [];
  for (let round = 0; round < 2; round++) {
    let { status, stdout, stderr } = command(['--store', path, 'checkpoint', '--json']);
    // The socket comes up a little after the store is open.
    while (/nobody to ask/.test(stderr) && child.exitCode === null)
      ({ status, stdout, stderr } = command(['--store', path, 'checkpoint', '--json']));
    assert.equal(status, 0, stderr);
    steps.push((JSON.parse(stdout) as { snapshot: { step: number } }).snapshot.step);
  }
  child.kill('SIGKILL');
  await ended(child);
  await withSnap(path, async (snap) => {
    assert.deepEqual(await stepsOf(snap), steps);
    assert.deepEqual(await snap.restore(), straight(steps[1] as number));
  });
});
