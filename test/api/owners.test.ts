/**
 * One owner at a time, whoever asks: other processes, other threads of the same process, other names of the folder.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Snap, SnapError } from '../../src/index.js';
import { budget } from '../support/budget.js';
import type { Order, Outcome } from './programs/opener.js';
import type { Task } from './programs/thread-opener.js';
import { collect, field, storePath } from './support.js';

const OPENERS = 16;
const THREADS = 4;

/** A process that opens and closes when told to. */
class Opener {
  readonly #child: ChildProcess;

  constructor(t: TestContext, path: string) {
    this.#child = fork(fileURLToPath(new URL('./programs/opener.js', import.meta.url)), [path]);
    t.after(() => this.#child.kill('SIGKILL'));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** A minute without an answer is a hang. */
  tell(order: Order): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const stuck = setTimeout(() => reject(new Error(`${this.pid} is stuck: ${order}`)), 60_000);
      this.#child.once('message', (outcome: Outcome) => {
        clearTimeout(stuck);
        resolve(outcome);
      });
      this.#child.send(order);
    });
  }

  kill(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }
}

test('of sixteen processes that open at once one is the owner; the lock is free the moment it dies', async (t) => {
  const path = storePath(t);
  const openers = Array.from({ length: OPENERS }, () => new Opener(t, path));
  const rounds = budget(3);
  for (let round = 0; round < rounds; round++) {
    const outcomes = await Promise.all(openers.map((opener) => opener.tell('open')));
    const winners = openers.filter(
      (_, index) => 'owns' in (outcomes[index] as Outcome) && isOwner(outcomes[index]),
    );
    assert.equal(winners.length, 1, JSON.stringify(outcomes));
    const [winner] = winners as [Opener];
    for (const [index, outcome] of outcomes.entries()) {
      if (openers[index] === winner) assert.deepEqual(outcome, { owns: true, saved: round + 1 });
      else assert.deepEqual(outcome, { owns: false, code: 'SNAP_LOCKED', pid: winner.pid });
    }
    if (round % 2 === 1) {
      assert.deepEqual(await winner.tell('close'), { closed: true });
      continue;
    }
    await winner.kill();
    openers[openers.indexOf(winner)] = new Opener(t, path);
  }
  await Promise.all(openers.map((opener) => opener.kill()));
  await using snap = await Snap.open(path);
  assert.equal((await collect(snap.list())).length, rounds);
  assert.equal((await snap.verify({ readData: true })).ok, true);
  t.diagnostic(`${rounds} rounds of ${OPENERS} openers`);
});

function isOwner(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && 'owns' in outcome && outcome.owns;
}

/** Threads of this process that try to own a store at the same moment; the owner stays it until `close`. */
class ThreadOpeners {
  readonly #workers: Worker[];
  readonly #ended: Promise<unknown>;
  readonly outcomes: Promise<string[]>;

  constructor(path: string, count: number) {
    const url = new URL('./programs/thread-opener.js', import.meta.url);
    const missing = new Int32Array(new SharedArrayBuffer(4)).fill(count);
    const workerData: Task = { path, missing };
    this.#workers = Array.from({ length: count }, () => new Worker(url, { workerData }));
    const outcomes = this.#workers.map(async (worker) => ((await once(worker, 'message')) as [string])[0]);
    this.outcomes = Promise.all(outcomes);
    this.#ended = Promise.all(this.#workers.map((worker) => once(worker, 'exit')));
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.postMessage('close');
    await this.#ended;
  }
}

/**
 * LevelDB opens its LOCK before it knows that its own process holds it, and by closing it again it used to drop the
 * lock of the thread that did: the next process became a second owner.
 */
test('a second thread of the owner is told so, and does not lose it the lock', async (t) => {
  const path = storePath(t);
  const stranger = new Opener(t, path);
  await using snap = await Snap.open(path);
  await snap.save({ n: 1 }, { durable: true });
  const refusal = `SNAP_LOCKED ${process.pid}`;
  const threads = new ThreadOpeners(path, 2);
  assert.deepEqual(await threads.outcomes, [refusal, refusal]);
  await assert.rejects(Snap.repair(path), { code: 'SNAP_LOCKED', pid: process.pid });
  assert.deepEqual(await stranger.tell('open'), { owns: false, code: 'SNAP_LOCKED', pid: process.pid });
  await snap.save({ n: 2 }, { durable: true });
  assert.deepEqual(await snap.restore(), { n: 2 });
});

test('of threads that open at once one is the owner, and keeps other processes out', async (t) => {
  const path = storePath(t);
  const stranger = new Opener(t, path);
  const rounds = budget(4);
  for (let round = 0; round < rounds; round++) {
    const threads = new ThreadOpeners(path, THREADS);
    const outcomes = (await threads.outcomes).sort();
    const refused = Array.from({ length: THREADS - 1 }, () => `SNAP_LOCKED ${process.pid}`);
    assert.deepEqual(outcomes, [...refused, 'owner']);
    assert.deepEqual(await stranger.tell('open'), { owns: false, code: 'SNAP_LOCKED', pid: process.pid });
    await threads.close();
  }
  await using snap = await Snap.open(path);
  assert.equal((await collect(snap.list())).length, rounds);
});

/** Named before there was a store, the folder used to have one name before and another after: two owners. */
test('a folder that is reached by a link has one owner, also when it is made through it', async (t) => {
  const path = storePath(t);
  const real = join(dirname(path), 'real');
  const link = join(dirname(path), 'link');
  mkdirSync(real);
  symlinkSync(real, link);
  await using first = await Snap.open(join(link, 'store'));
  await using second = await Snap.open(join(link, 'store'));
  await using third = await Snap.open(join(real, 'store'));
  await first.save({ n: 1 }, { durable: true });
  assert.deepEqual(await second.restore(), { n: 1 });
  assert.deepEqual(await third.restore(), { n: 1 });
  const threads = new ThreadOpeners(join(link, 'store'), 1);
  assert.deepEqual(await threads.outcomes, [`SNAP_LOCKED ${process.pid}`]);
});

test('a folder that was moved while it was open is not opened again under its new name', async (t) => {
  const path = storePath(t);
  const stranger = new Opener(t, `${path}-moved`);
  const snap = await Snap.open(path);
  await snap.save({ n: 1 }, { durable: true });
  renameSync(path, `${path}-moved`);
  await assert.rejects(Snap.open(`${path}-moved`), { code: 'SNAP_LOCKED', pid: process.pid });
  assert.deepEqual(await stranger.tell('open'), { owns: false, code: 'SNAP_LOCKED', pid: process.pid });
  await snap.close();
  await using again = await Snap.open(`${path}-moved`);
  assert.deepEqual(await again.restore(), { n: 1 });
});

test('a store that is being closed is opened again once it is', async (t) => {
  const path = storePath(t);
  let snap = await Snap.open(path);
  for (let n = 1; n <= budget(4); n++) {
    await snap.save({ n, u: field(20_000, n) });
    if (n % 2 === 0) await snap.flush();
    const closing = snap.close();
    if (n % 2 === 0) await new Promise(setImmediate);
    const [next, reader] = await Promise.all([Snap.open(path), Snap.open(path, { readOnly: true })]);
    assert.equal(((await next.restore()) as { n: number }).n, n);
    assert.equal(((await reader.restore()) as { n: number }).n, n);
    await Promise.all([closing, reader.close()]);
    snap = next;
  }
  await snap.close();
});

test('a reader is let in although the same process fails to become the owner', async (t) => {
  const path = storePath(t);
  const owner = new Opener(t, path);
  assert.ok(isOwner(await owner.tell('open')));
  const [writing, reading] = await Promise.allSettled([Snap.open(path), Snap.open(path, { readOnly: true })]);
  assert.ok(writing.status === 'rejected' && writing.reason instanceof SnapError);
  assert.equal(writing.reason.code, 'SNAP_LOCKED');
  assert.ok(reading.status === 'fulfilled');
  assert.equal(((await reading.value.restore()) as { count: number }).count, 1);
  await reading.value.close();
});

/** Opens, reads and closes every file below a folder. */
function touchAll(folder: string): number {
  let files = 0;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    // The owner is at work: what was listed may be gone.
    try {
      if (statSync(path).isDirectory()) files += touchAll(path);
      else {
        readFileSync(path);
        closeSync(openSync(path, 'r+'));
        files++;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return files;
}

test('a process that opens and closes every file of a store does not lose its owner the lock', async (t) => {
  const path = storePath(t);
  const owner = new Opener(t, path);
  const stranger = new Opener(t, path);
  assert.ok(isOwner(await owner.tell('open')));
  const rounds = budget(3);
  for (let round = 0; round < rounds; round++) {
    assert.ok(touchAll(path) > 10);
    assert.deepEqual(await owner.tell('save'), { owns: true, saved: round + 2 });
    assert.deepEqual(await stranger.tell('open'), { owns: false, code: 'SNAP_LOCKED', pid: owner.pid });
  }
  assert.deepEqual(await owner.tell('close'), { closed: true });
  assert.deepEqual(await stranger.tell('open'), { owns: true, saved: rounds + 2 });
  await stranger.kill();
  await using snap = await Snap.open(path);
  const report = await snap.verify({ readData: true });
  assert.equal(report.ok && report.complete, true);
});
