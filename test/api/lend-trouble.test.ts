/** Lending where something is in the way: no slot is free, the process ends, the writer thread dies, others write. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type OpenOptions, type SaveTicket, Snap } from '../../src/index.js';
import { faultsAreOver, faulty, field, runProgram, setFault, storePath } from './support.js';

const LENGTH = 20_000;

interface State {
  n: number;
  u: Float64Array;
}

const isDetached = ({ u }: State) => u.buffer.byteLength === 0;

async function putBack(state: State, { released }: SaveTicket): Promise<void> {
  state.u = new Float64Array((await released).get('u') as ArrayBuffer);
}

const BUSY: OpenOptions['onBusy'][] = ['wait', 'skip', 'coalesce'];
for (const onBusy of BUSY) {
  test(`both slots taken, ${onBusy}: what is not captured is not lent, and what is comes back`, async (t) => {
    await using snap = await Snap.open(storePath(t), { onBusy });
    const noise = Float64Array.from({ length: 1_000_000 }, () => Math.random());
    // Each is large by what is not lent, so that slots are taken for a while.
    const states = Array.from({ length: 8 }, (_, n) => ({
      n,
      u: field(LENGTH, n),
      noise: noise.map((value) => value + n),
    }));
    const saves = states.map((state) => snap.save(state, { step: state.n, lend: ['u'] }));
    let skipped = 0;
    for (const [n, ticket] of (await Promise.all(saves)).entries()) {
      const state = states[n] as State;
      assert.equal(isDetached(state), !ticket.skipped);
      if (ticket.skipped) {
        skipped++;
        assert.deepEqual(await ticket.released, new Map());
      } else {
        await putBack(state, ticket);
        await ticket.durable;
        assert.deepEqual((await snap.restore<State>({ step: n })).u, field(LENGTH, n));
      }
      assert.deepEqual(state.u, field(LENGTH, n));
    }
    assert.equal(skipped > 0, onBusy !== 'wait');
  });
}

test('a save that is given up while it waits for a slot has lent nothing', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const noise = Float64Array.from({ length: 2_000_000 }, () => Math.random());
  const states = [1, 2, 3].map((n) => ({ n, noise: noise.map((value) => value + n) }));
  const saves = states.map((large) => snap.save(large));
  const controller = new AbortController();
  const state = { n: 0, u: field(LENGTH) };
  const waiting = snap.save(state, { lend: true, signal: controller.signal });
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await Promise.all(saves);
  assert.deepEqual(state.u, field(LENGTH));
});

test('a state that memoryLimit leaves no room for is not lent', async (t) => {
  await using snap = await Snap.open(storePath(t), { memoryLimit: 100_000 });
  const state = { n: 0, u: field(LENGTH) };
  await assert.rejects(snap.save(state, { lend: true }), { code: 'SNAP_TOO_LARGE' });
  assert.deepEqual(state.u, field(LENGTH));
});

test('with room for one slot only, every save is lent in its turn', async (t) => {
  await using snap = await Snap.open(storePath(t), { memoryLimit: 300_000 });
  const state = { n: 0, u: field(LENGTH) };
  for (state.n = 1; state.n <= 6; state.n++) {
    state.u[state.n] = state.n;
    const expected = structuredClone(state);
    await putBack(state, await snap.save(state, { lend: true, step: state.n }));
    assert.deepEqual(state, expected);
  }
  await snap.flush();
  const last = field(LENGTH).map((value, index) => (index >= 1 && index <= 6 ? index : value));
  assert.deepEqual(await snap.restore(), { n: 6, u: last });
});

test('two Snaps of one store lend side by side', async (t) => {
  const path = storePath(t);
  await using one = await Snap.open(path, { run: 'one' });
  await using two = await Snap.open(path, { run: 'two', capture: 'track' });
  const states = [
    { snap: one, state: { n: 1, u: field(LENGTH, 1) } },
    { snap: two, state: { n: 2, u: field(LENGTH, 2) } },
  ];
  for (let round = 0; round < 10; round++) {
    const tickets = await Promise.all(states.map(({ snap, state }) => snap.save(state, { lend: ['u'] })));
    for (const [index, { state }] of states.entries()) await putBack(state, tickets[index] as SaveTicket);
  }
  for (const { snap, state } of states) {
    await snap.flush();
    assert.deepEqual(await snap.restore(), state);
  }
});

for (const [way, code] of [
  ['exit', 0],
  ['throw', 1],
  ['close', 0],
  ['nothing', 0],
] as const) {
  test(`a process that ends by itself (${way}) while buffers are lent first makes them durable`, async (t) => {
    const path = storePath(t);
    const end = await runProgram('lending-end', [path, way]);
    assert.equal(end.code, code, end.stderr);
    await using snap = await Snap.open(path);
    const { u, w } = await snap.restore<{ u: Float64Array; w: Float64Array }>();
    assert.deepEqual([u.length, w.length], [4_000_000, 1_000_000]);
    assert.ok([u, w].every((numbers) => numbers.every((value, index) => value === Math.sin(index))));
  });
}

test('close makes what is lent durable, and gives it back', async (t) => {
  const path = storePath(t);
  const snap = await Snap.open(path);
  const state = { n: 0, u: field(LENGTH) };
  const { released } = await snap.save(state, { lend: true });
  await snap.close();
  assert.deepEqual(new Float64Array((await released).get('u') as ArrayBuffer), field(LENGTH));
  await using again = await Snap.open(path);
  assert.deepEqual(await again.restore(), { n: 0, u: field(LENGTH) });
});

/** The writer threads that are started while a test runs. */
function threadsOf(t: TestContext): Worker[] {
  const workers: Worker[] = [];
  const add = (worker: Worker) => workers.push(worker);
  process.on('worker', add);
  t.after(() => process.off('worker', add));
  return workers;
}

/** A Snap whose writer thread stands still in the middle of a save. */
async function stalled(t: TestContext): Promise<{ snap: Snap; terminate: () => void }> {
  const path = storePath(t);
  const threads = threadsOf(t);
  const snap = await Snap.open(path, faulty());
  setFault(path, { call: 'write', code: 'STALL', times: 1 });
  const { durable } = await snap.save({ n: 0 });
  durable.catch(() => {});
  while (!faultsAreOver(path)) await new Promise((resolve) => setTimeout(resolve, 1));
  return { snap, terminate: () => void threads.at(-1)?.terminate() };
}

test('the writer thread dies before it has copied what was lent: released rejects, and says what is lost', async (t) => {
  const { snap, terminate } = await stalled(t);
  const state = { n: 1, u: field(LENGTH), w: new Float64Array(new SharedArrayBuffer(80_000)) };
  const ticket = await snap.save(state, { lend: true });
  terminate();
  const lost = {
    code: 'SNAP_BROKEN',
    message:
      /^what was lent was not given back, and ArrayBuffers are lost: the writer thread died \(it ended\)/,
  };
  await assert.rejects(ticket.released, lost);
  await assert.rejects(ticket.released, lost, 'whoever asks later hears it too');
  await assert.rejects(ticket.durable, { code: 'SNAP_BROKEN' });
  assert.ok(isDetached(state));
  assert.equal(state.w.length, 10_000);
  await snap.close();
});

test('a loan that is lost and that nobody asks about is no unhandled rejection', async (t) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  for (const looks of [true, false]) {
    const { snap, terminate } = await stalled(t);
    const ticket = await snap.save({ n: 1, u: field(LENGTH) }, { lend: true });
    if (looks) void ticket.released;
    terminate();
    await assert.rejects(ticket.durable, { code: 'SNAP_BROKEN' });
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(unhandled, []);
    await snap.close();
  }
});

test('what the writer thread gave back before it died is there', async (t) => {
  const path = storePath(t);
  const threads = threadsOf(t);
  const snap = await Snap.open(path, faulty());
  const state = { n: 1, u: field(LENGTH) };
  setFault(path, { call: 'write', code: 'STALL', times: 1 });
  const saving = snap.save(state, { lend: true });
  // It writes once what was lent is copied. Until then nothing is heard of here, and then of its end first.
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!faultsAreOver(path)) Atomics.wait(never, 0, 0, 5);
  threads[0]?.emit('error', new Error('made up by a test'));
  void threads[0]?.terminate();
  // Nobody looks at `durable`, so the save tells of its failure itself.
  const error = await saving.catch((reason: unknown) => reason);
  assert.equal((error as { code: string }).code, 'SNAP_BROKEN');
  await putBack(state, (error as { ticket: SaveTicket }).ticket);
  assert.deepEqual(state, { n: 1, u: field(LENGTH) });
  await snap.close();
});

test('a save that waits for a slot when the writer thread dies lends it nothing any more', async (t) => {
  const path = storePath(t);
  const threads = threadsOf(t);
  // One slot only, which is given back before the sync.
  const snap = await Snap.open(path, { ...faulty(), memoryLimit: 300_000 });
  setFault(path, { call: 'sync', code: 'STALL', times: 1 });
  const first = snap.save({ n: 0, u: field(LENGTH) });
  const state = { n: 1, u: field(LENGTH) };
  const waiting = snap.save(state, { lend: true });
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!faultsAreOver(path)) Atomics.wait(never, 0, 0, 5);
  threads[0]?.emit('error', new Error('made up by a test'));
  void threads[0]?.terminate();
  await assert.rejects(first, { code: 'SNAP_BROKEN' });
  await assert.rejects(waiting, { code: 'SNAP_BROKEN' });
  assert.deepEqual(state, { n: 1, u: field(LENGTH) });
  await snap.close();
});

/** Writes a number all over shared memory as soon as it is told to, and says when it is done. */
const WRITER = `
const { parentPort, workerData } = require('node:worker_threads');
parentPort.on('message', (value) => {
  workerData.fill(value);
  parentPort.postMessage(value);
});`;

test('what another thread writes to a SharedArrayBuffer after released is in the next snapshot, and not in this one', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const w = new Float64Array(new SharedArrayBuffer(8 * 500_000));
  const writer = new Worker(WRITER, { eval: true, workerData: w });
  t.after(() => writer.terminate());
  const tickets: SaveTicket[] = [];
  for (let n = 1; n <= 8; n++) {
    const told = new Promise((resolve) => writer.once('message', resolve));
    writer.postMessage(n);
    await told;
    const ticket = await snap.save({ w }, { lend: true, step: n });
    await ticket.released;
    tickets.push(ticket);
  }
  await snap.flush();
  for (const [index, { id }] of tickets.entries()) {
    const restored = await snap.restore<{ w: Float64Array }>(id);
    assert.ok(
      restored.w.every((value) => value === index + 1),
      `save ${index + 1}`,
    );
  }
});
