/**
 * Nothing is left behind: descriptors, threads, listeners and memory are what they were before, however often a store
 * was opened, failed to be opened, saved to, read and closed.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Snap, SnapError } from '../../src/index.js';
import { budget } from '../support/budget.js';
import { collect, field, storePath } from './support.js';

const MiB = 1 << 20;
const LINUX = process.platform === 'linux';

interface Held {
  descriptors: number;
  threads: number;
  listeners: number;
}

function held(): Held {
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    listeners,
  };
}

/** What is held once threads that were told to end have: they take a while, on a machine with other work more of it. */
async function heldAtRest(): Promise<Held> {
  let last = '';
  for (let same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    const now = JSON.stringify(held());
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return JSON.parse(last) as Held;
}

/** Bytes of memory in use after garbage was collected: resident, and outside of the heap. */
async function memory(): Promise<{ rss: number; external: number }> {
  for (let n = 0; n < 3; n++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { rss, external, arrayBuffers } = process.memoryUsage();
  return { rss, external: external + arrayBuffers };
}

/**
 * Does something once to warm up, then `times` times, and compares what is held. Memory is compared from the first third
 * on: allocators keep what they got once.
 */
async function isFlat(t: TestContext, times: number, once: (n: number) => Promise<void>): Promise<void> {
  if (!LINUX) return t.skip('descriptors and threads are counted in /proc');
  for (let n = 0; n < 3; n++) await once(n);
  const before = await heldAtRest();
  const third = Math.ceil(times / 3);
  let after = { rss: 0, external: 0 };
  for (let n = 0; n < times; n++) {
    await once(n);
    if (n === third) after = await memory();
  }
  const rest = await heldAtRest();
  for (const what of ['descriptors', 'threads', 'listeners'] as const) {
    assert.ok(rest[what] <= before[what], `${what}: ${before[what]} before, ${rest[what]} now`);
  }
  const last = await memory();
  const growth = { rss: last.rss - after.rss, external: last.external - after.external };
  t.diagnostic(
    `${times} times: ${before.descriptors} descriptors, ${before.threads} threads; memory ${signed(growth.rss)}, outside of the heap ${signed(growth.external)}`,
  );
  assert.ok(growth.rss < 64 * MiB, `memory grew by ${signed(growth.rss)}`);
  assert.ok(growth.external < 16 * MiB, `memory outside of the heap grew by ${signed(growth.external)}`);
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${(Math.abs(bytes) / MiB).toFixed(1)} MiB`;
}

test('saves and what comes with them', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { n: 0, u: field(50_000), log: [] as string[] };
  await isFlat(t, budget(200), async (n) => {
    state.n = n;
    state.u.fill(n, (n * 37) % 40_000, ((n * 37) % 40_000) + 500);
    state.log = [`step ${n}`];
    await snap.save(state, { step: n, tag: 'newest', durable: n % 10 === 0 });
    if (n % 50 === 0) {
      assert.deepEqual(await snap.restore(), state);
      await collect(snap.list({ run: 'none' }));
      await snap.stats();
    }
  });
});

test('lending', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { n: 0, u: field(50_000), w: new Uint8Array(new SharedArrayBuffer(100_000)) };
  await isFlat(t, budget(300), async (n) => {
    state.n = n;
    state.u.fill(n, (n * 37) % 40_000, ((n * 37) % 40_000) + 500);
    const ticket = await snap.save(state, { lend: true, durable: n % 10 === 0 });
    state.u = new Float64Array((await ticket.released).get('u') as ArrayBuffer);
    // What cannot be lent leaves nothing behind either.
    await assert.rejects(snap.save(state, { lend: ['v'] }), TypeError);
    if (n % 50 === 0) assert.deepEqual(await snap.restore(), state);
  });
});

test('opening, saving and closing', async (t) => {
  const path = storePath(t);
  await isFlat(t, Math.max(6, budget(12)), async (n) => {
    const [snap, other] = await Promise.all([Snap.open(path), Snap.open(path, { run: 'other' })]);
    await snap.save({ n, u: field(1000, n) });
    await Promise.all([snap.close(), other.close()]);
  });
});

test('tracking', async (t) => {
  const path = storePath(t);
  await isFlat(t, budget(20), async (n) => {
    await using snap = await Snap.open(path, { capture: 'track' });
    const state = { n, u: field(200_000, n) };
    await snap.prepare(state);
    await snap.save(state);
    await snap.save(state);
  });
});

test('readers', async (t) => {
  const path = storePath(t);
  const state = { u: field(100_000) };
  {
    await using snap = await Snap.open(path);
    await snap.save(state);
  }
  await isFlat(t, Math.max(6, budget(12)), async () => {
    await using reader = await Snap.open(path, { readOnly: true });
    assert.deepEqual(await reader.restore(), state);
    assert.equal((await reader.verify({ readData: true })).ok, true);
  });
});

test('restoring', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { u: field(200_000), notes: new Map([['a', 1]]) };
  await snap.save(state, { tag: 'it' });
  await isFlat(t, budget(60), async (n) => {
    if (n % 3 === 0) await snap.restore('it', { into: state });
    else if (n % 3 === 1) await snap.restore('it', { only: ['notes'] });
    else assert.deepEqual(await snap.restore('it'), state);
    await assert.rejects(snap.restore('not there'), { code: 'SNAP_NOT_FOUND' });
  });
});

test('opening in vain', async (t) => {
  const path = storePath(t);
  const file = join(path, '..', 'file');
  const foreign = join(path, '..', 'foreign');
  const damaged = join(path, '..', 'damaged');
  writeFileSync(file, '');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'thesis.tex'), '');
  for (const folder of [path, damaged]) await (await Snap.open(folder)).close();
  rmSync(join(damaged, 'holdfast.json'));
  writeFileSync(join(damaged, 'packs', '00000001.pack'), '');
  const owner = await ownerOf(t, path);
  const attempts: [string, string, object][] = [
    ['SNAP_NOT_FOUND', file, {}],
    ['SNAP_NOT_FOUND', foreign, {}],
    ['SNAP_NOT_FOUND', join(path, '..', 'nothing'), { create: false }],
    ['SNAP_NOT_FOUND', join(path, '..', 'nothing'), { readOnly: true }],
    ['SNAP_CORRUPT', damaged, {}],
    ['SNAP_LOCKED', path, {}],
  ];
  await isFlat(t, Math.max(4, budget(4)), async () => {
    for (const [code, folder, options] of attempts) {
      const error = await Snap.open(folder, options).catch((reason) => reason);
      assert.ok(error instanceof SnapError && error.code === code, `${folder}: ${error}`);
    }
    const signal = AbortSignal.abort();
    await assert.rejects(Snap.open(damaged, { signal }), { name: 'AbortError' });
  });
  owner.kill('SIGKILL');
});

async function ownerOf(t: TestContext, path: string): Promise<ChildProcess> {
  const owner = fork(fileURLToPath(new URL('./programs/owner.js', import.meta.url)), [path]);
  t.after(() => owner.kill('SIGKILL'));
  await new Promise((resolve) => owner.once('message', resolve));
  return owner;
}

/** Until the owner can be asked: a thread that is terminated while it loads modules loses their files to Node. */
async function untilSettled(path: string): Promise<void> {
  while (!readFileSync(join(path, 'owner.json'), 'utf8').includes('socket')) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('writer threads that die', async (t) => {
  const path = storePath(t);
  let thread: { terminate(): Promise<number> } | undefined;
  const note = (worker: { terminate(): Promise<number> }) => {
    thread = worker;
  };
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  await isFlat(t, Math.max(6, budget(10)), async (n) => {
    const snap = await Snap.open(path);
    await untilSettled(path);
    const ticket = await snap.save({ n, u: field(20_000, n) });
    void thread?.terminate();
    await ticket.durable.catch(() => {});
    await assert.rejects(
      async () => {
        for (;;) await snap.save({ n });
      },
      { code: 'SNAP_BROKEN' },
    );
    await snap.close();
  });
});
