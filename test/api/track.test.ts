/** Saving with dirty pages from the kernel: threads, other Snaps, memory that comes and goes, and kernels without it. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { INTERNALS } from '../../src/api/options.js';
import { type OpenOptions, Snap } from '../../src/index.js';
import { PAGE, TRACKED, wasmMemory } from '../support/pages.js';
import { faulty, setFault, storePath } from './support.js';

const GUARD = { timeout: 120_000 };
const MiB = 1 << 20;
const TRACKED_GUARD = { ...GUARD, ...TRACKED };

interface Captured {
  directory: string;
  copiedBytes: number;
  trackedBytes: number;
}

/** What was captured of a store, save by save. */
function captures(t: TestContext, path: string): Captured[] {
  const all: Captured[] = [];
  const listen = (message: unknown) => {
    if ((message as Captured).directory === path) all.push(message as Captured);
  };
  subscribe('holdfast:save:captured', listen);
  t.after(() => unsubscribe('holdfast:save:captured', listen));
  return all;
}

function tracking(options: OpenOptions = {}): OpenOptions {
  return { capture: 'track', [INTERNALS]: { smallestTracked: 4 * PAGE }, ...options };
}

/** The latest snapshot holds just these bytes. With `only`, as the next save would go on from what is restored whole. */
async function assertSaved(snap: Snap, state: { u: Uint8Array }, what?: string): Promise<void> {
  const { u } = await snap.restore<{ u: Uint8Array }>('latest', { only: ['u'] });
  assert.ok(Buffer.from(u.buffer).equals(state.u), what);
}

test(
  'after prepare, and from then on, a save copies what was written and nothing else',
  TRACKED_GUARD,
  async (t) => {
    const path = storePath(t);
    const saves = captures(t, path);
    await using snap = await Snap.open(path, { capture: 'track' });
    const state = { u: new Uint8Array(4 * MiB).fill(3) };
    await snap.prepare(state);
    for (let step = 1; step < 6; step++) {
      state.u[step * 100_000] = step;
      await (await snap.save(state)).durable;
      const { copiedBytes, trackedBytes } = saves.at(-1) as Captured;
      assert.equal(trackedBytes, 4 * MiB);
      assert.ok(copiedBytes < 5 * PAGE, `save ${step} copied ${copiedBytes} bytes`);
      await assertSaved(snap, state);
    }
  },
);

test(
  'auto tracks what changes in few places, and copies what changes everywhere',
  TRACKED_GUARD,
  async (t) => {
    const path = storePath(t);
    const saves = captures(t, path);
    await using snap = await Snap.open(path);
    const state = { u: new Uint8Array(2 * MiB) };
    const trackedAfter = async (steps: number, stride: number) => {
      for (let step = 0; step < steps; step++) {
        for (let at = 0; at < state.u.length; at += stride) state.u[at]!++;
        await snap.save(state, { durable: true });
        await assertSaved(snap, state);
      }
      return saves.at(-1)?.trackedBytes;
    };
    assert.equal(await trackedAfter(5, 60 * PAGE), 2 * MiB);
    assert.equal(await trackedAfter(4, PAGE), 0);
  },
);

/**
 * Threads write all the time. What a snapshot holds of each word is a value that the word had between the call of save
 * and its return; and because the counters only rise, a write that was lost would show as a value from before.
 */
for (const capture of ['track', 'copy'] as const) {
  test(`${capture}: other threads write during saves, and no write is lost`, TRACKED_GUARD, async (t) => {
    const path = storePath(t);
    const saves = captures(t, path);
    await using snap = await Snap.open(path, { capture });
    const words = new Int32Array(new SharedArrayBuffer(2 * MiB));
    const program = `
      const { workerData: { words, first } } = require('node:worker_threads');
      const pages = words.length / 1024;
      const nothing = new Int32Array(new SharedArrayBuffer(4));
      for (let round = 1; ; round++) {
        // A few pages, hammered for a while, then the next few.
        for (let n = 0; n < 300; n++)
          for (let page = 0; page < 8; page++)
            Atomics.add(words, ((first + round * 8 + page) % pages) * 1024 + (n % 1024), 1);
        // The writer thread is polite: on two cores it has to be let in.
        Atomics.wait(nothing, 0, 0, 0.1);
      }`;
    const workers = [0, 256].map(
      (first) => new Worker(program, { eval: true, workerData: { words, first } }),
    );
    t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
    await Promise.all(workers.map((worker) => once(worker, 'online')));
    const kept: { id: string; before: Int32Array; after: Int32Array }[] = [];
    for (let step = 0; step < 12; step++) {
      const before = words.slice();
      const { id } = await snap.save({ words });
      kept.push({ id, before, after: words.slice() });
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    await snap.flush();
    for (const { id, before, after } of kept) {
      const saved = (await snap.restore<{ words: Int32Array }>(id)).words;
      const wrong = saved.findIndex(
        (value, at) => value < (before[at] as number) || value > (after[at] as number),
      );
      assert.equal(wrong, -1, `word ${wrong}: ${before[wrong]} ${saved[wrong]} ${after[wrong]}`);
    }
    assert.equal(
      saves.some(({ trackedBytes }) => trackedBytes > 0),
      capture === 'track',
    );
  });
}

test(
  'two Snaps save one state: each is told, or sees for itself, what was written since its own last save',
  GUARD,
  async (t) => {
    await using one = await Snap.open(storePath(t), tracking());
    await using two = await Snap.open(storePath(t), tracking());
    const state = { u: new Uint8Array(200 * PAGE) };
    for (let step = 1; step < 30; step++) {
      state.u[((step * 37) % 200) * PAGE] = step;
      const snap = step % 3 === 0 ? two : one;
      await snap.save(state, { durable: true });
      await assertSaved(snap, state, `step ${step}`);
    }
  },
);

test('Snaps of two threads save one shared array', GUARD, async (t) => {
  const u = new Uint8Array(new SharedArrayBuffer(2 * MiB));
  const program = `
    const { parentPort, workerData: { module, path, u } } = require('node:worker_threads');
    import(module).then(async ({ Snap }) => {
      const snap = await Snap.open(path, { capture: 'track' });
      parentPort.on('message', async (step) => {
        if (step < 0) return snap.close().then(() => parentPort.close());
        await snap.save({ u }, { step, durable: true });
        parentPort.postMessage((await snap.restore()).u.slice());
      });
      parentPort.postMessage('ready');
    });`;
  const module = new URL('../../src/index.js', import.meta.url).href;
  const worker = new Worker(program, { eval: true, workerData: { module, path: storePath(t), u } });
  await once(worker, 'message');
  await using snap = await Snap.open(storePath(t), { capture: 'track' });
  for (let step = 0; step < 12; step++) {
    u[step * 50_000] = step + 1;
    if (step % 2 === 0) await snap.save({ u }, { durable: true });
    worker.postMessage(step);
    const [theirs] = (await once(worker, 'message')) as [Uint8Array];
    assert.ok(Buffer.from(theirs).equals(u), `step ${step}`);
    if (step % 2 === 0) await assertSaved(snap, { u });
  }
  worker.postMessage(-1);
  await once(worker, 'exit');
});

test('a save that failed takes no change along: the next one holds it', GUARD, async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, { ...faulty({ smallestTracked: 4 * PAGE }), capture: 'track' });
  const state = { u: new Uint8Array(400 * PAGE) };
  await snap.save(state, { durable: true });
  for (let step = 1; step < 6; step++) {
    state.u[step * 50 * PAGE] = step;
    setFault(path, { call: 'sync', code: 'EIO', times: 1 });
    await assert.rejects(snap.save(state, { durable: true }), { code: 'SNAP_IO' });
    await snap.save(state, { durable: true });
    await assertSaved(snap, state, `step ${step}`);
  }
});

test('many saves in flight hold what was there when each was called', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), tracking());
  const state = { step: 0, u: new Uint8Array(100 * PAGE) };
  const expected: { id: string; u: Buffer }[] = [];
  for (; state.step < 60; state.step++) {
    state.u.fill(state.step, (state.step % 90) * PAGE, (state.step % 90) * PAGE + 5000);
    const u = Buffer.from(state.u);
    const { id } = await snap.save(state);
    expected.push({ id, u });
  }
  await snap.flush();
  for (const { id, u } of expected) {
    assert.ok(u.equals((await snap.restore<typeof state>(id)).u));
  }
});

test('where memory is for one slot only, it is tracked all the same', TRACKED_GUARD, async (t) => {
  const path = storePath(t);
  const saves = captures(t, path);
  await using snap = await Snap.open(path, { capture: 'track', memoryLimit: 6 * MiB });
  const state = { u: new Uint8Array(4 * MiB) };
  for (let step = 1; step < 8; step++) {
    state.u[step * 500_000] = step;
    await snap.save(state);
  }
  await snap.flush();
  await assertSaved(snap, state);
  assert.ok((saves.at(-1) as Captured).copiedBytes < 5 * PAGE);
});

test('arrays that live for one save each are let go again', TRACKED_GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), { capture: 'track' });
  const mappings = () => readFileSync('/proc/self/maps', 'latin1').split('\n').length;
  let most = 0;
  let before = 0;
  for (let step = 0; step < 120; step++) {
    const state = { u: new Uint8Array(2 * MiB + step).fill(step) };
    await snap.save(state);
    if (step % 20 === 0) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await assertSaved(snap, state);
    }
    if (step === 40) before = mappings();
    if (step > 40) most = Math.max(most, mappings());
  }
  assert.ok(most < before + 100, `${before} mappings became ${most}`);
});

test('a buffer goes to another thread, is written there, and comes back', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), tracking());
  const program = `
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', ({ u, at }) => {
      u[at]++;
      parentPort.postMessage(u, [u.buffer]);
    });`;
  const worker = new Worker(program, { eval: true });
  t.after(() => worker.terminate());
  const state = { u: new Uint8Array(100 * PAGE) };
  for (let step = 0; step < 10; step++) {
    await snap.save(state, { durable: true });
    worker.postMessage({ u: state.u, at: step * 9 * PAGE }, [state.u.buffer]);
    assert.equal(state.u.length, 0);
    [state.u] = (await once(worker, 'message')) as [Uint8Array<ArrayBuffer>];
    await snap.save(state, { durable: true });
    await assertSaved(snap, state, `step ${step}`);
  }
});

test('a WebAssembly.Memory is tracked, and grows', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), tracking());
  const state = { memory: wasmMemory({ initial: 4, maximum: 100 }) };
  for (let step = 1; step < 12; step++) {
    if (step % 4 === 0) state.memory.grow(3);
    const bytes = Buffer.from(state.memory.buffer);
    bytes[(step * 71_111) % bytes.length] = step;
    await snap.save(state, { durable: true });
    const into = { memory: wasmMemory({ initial: 1, maximum: 100 }) };
    await snap.restore('latest', { into });
    assert.ok(bytes.equals(Buffer.from(into.memory.buffer)), `step ${step}`);
  }
});

test('what the system writes while saves go on is there in the end', GUARD, async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, tracking());
  const state = { u: new Uint8Array(400 * PAGE) };
  const source = `${path}.source`;
  writeFileSync(source, Buffer.alloc(400 * PAGE, 9));
  const file = await open(source);
  const reading = (async () => {
    for (let at = 0; at < state.u.length; at += 8 * PAGE) await file.read(state.u, at, 8 * PAGE, at);
    await file.close();
  })();
  let done = false;
  reading.finally(() => {
    done = true;
  });
  while (!done) await snap.save(state);
  await reading;
  await snap.save(state, { durable: true });
  await assertSaved(snap, state);
  assert.ok(state.u.every((byte) => byte === 9));
});

test('more regions than are tracked', GUARD, async (t) => {
  await using snap = await Snap.open(storePath(t), tracking());
  const state = { parts: Array.from({ length: 700 }, (_, n) => new Uint8Array(6 * PAGE).fill(n)) };
  for (let step = 0; step < 4; step++) {
    for (const [n, bytes] of state.parts.entries()) if (n % 4 === step) bytes[step * PAGE]!++;
    await snap.save(state, { durable: true });
    assert.deepEqual(await snap.restore(), state);
  }
});

/** As on an older kernel, or where a container forbids it: nobody is told, and everything works. */
test('without koffi everything is copied, without a word', GUARD, async (t) => {
  const program = `
    const Module = require('node:module');
    const load = Module._load;
    Module._load = function (name, ...rest) {
      if (name === 'koffi') throw new Error('not here');
      return load.call(this, name, ...rest);
    };
    const said = [];
    process.on('warning', (warning) => said.push(warning.message));
    import(${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}).then(async ({ Snap }) => {
      let copied = 0;
      require('node:diagnostics_channel').subscribe('holdfast:save:captured', (m) => (copied = m.copiedBytes));
      const snap = await Snap.open(${JSON.stringify(storePath(t))}, { capture: 'track' });
      const state = { u: new Uint8Array(${2 * MiB}) };
      for (let step = 0; step < 3; step++) await snap.save(state, { durable: true });
      await snap.close();
      console.log(JSON.stringify({ said, whole: copied > state.u.length }));
    });`;
  const output = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  assert.deepEqual(JSON.parse(output), { said: [], whole: true });
});

test('capture takes one of three words', async (t) => {
  await assert.rejects(Snap.open(storePath(t), { capture: 'lend' as 'copy' }), {
    name: 'TypeError',
    message: 'capture is "lend"; it takes "auto", "copy" or "track"',
  });
});

test('a slot whose bytes spare copying is not used to restore through', TRACKED_GUARD, async (t) => {
  const path = storePath(t);
  const saves = captures(t, path);
  await using snap = await Snap.open(path, { capture: 'track' });
  // No chunk is like another: one that lay in the place of another would be seen.
  const state = { u: randomFillSync(new Uint8Array(4 * MiB)) };
  await snap.prepare(state);
  for (let step = 1; step < 6; step++) {
    await snap.save(state, { durable: true });
    const saved = state.u.slice();
    state.u.fill(step, 3 * MiB, 3 * MiB + 100_000);
    await snap.restore('latest', { into: state });
    assert.ok(Buffer.from(saved.buffer).equals(state.u));
    state.u[step * 100_000] = step;
    await (await snap.save(state)).durable;
    await assertSaved(snap, state, `step ${step}`);
  }
  const { copiedBytes, trackedBytes } = saves.at(-1) as Captured;
  assert.equal(trackedBytes, 4 * MiB);
  assert.ok(copiedBytes < MiB, `${copiedBytes} bytes copied`);
});
