/** Lending: what is handed over instead of copied, what comes back, and what is refused. */

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { markAsUntransferable } from 'node:worker_threads';
import { type CapturedMessage, type SaveTicket, Snap } from '../../src/index.js';
import { resizableBuffer, wasmMemory } from '../support/pages.js';
import { faulty, field, setFault, storePath } from './support.js';

const LENGTH = 20_000;

function shared(length: number, seed = 0): Float64Array {
  const numbers = new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
  numbers.set(field(length, seed));
  return numbers;
}

/** What came back under a path, as numbers. */
async function numbersOf(ticket: SaveTicket, path: string): Promise<Float64Array> {
  const buffer = (await ticket.released).get(path);
  assert.ok(buffer, `${path} came back`);
  return new Float64Array(buffer);
}

function isDetached({ buffer }: Float64Array): boolean {
  return buffer.byteLength === 0;
}

/** What the captures of a store are said to have copied while the caller was held. */
function copiedBytes(t: TestContext, directory: string): number[] {
  const copied: number[] = [];
  const listen = (message: unknown) => {
    const captured = message as CapturedMessage;
    if (captured.directory === directory) copied.push(captured.copiedBytes);
  };
  subscribe('holdfast:save:captured', listen);
  t.after(() => unsubscribe('holdfast:save:captured', listen));
  return copied;
}

test('ArrayBuffers are transferred away, saved, and come back with every bit', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path);
  const copied = copiedBytes(t, path);
  const state = { step: 0, u: field(LENGTH), v: field(LENGTH, 1) };
  for (state.step = 1; state.step <= 5; state.step++) {
    state.u[state.step] = -state.step;
    const expected = structuredClone(state);
    const ticket = await snap.save(state, { step: state.step, lend: true });
    assert.ok(isDetached(state.u) && isDetached(state.v));
    assert.deepEqual([...(await ticket.released).keys()], ['u', 'v']);
    state.u = await numbersOf(ticket, 'u');
    state.v = await numbersOf(ticket, 'v');
    assert.deepEqual(state, expected);
    // Written to as soon as it is back: that is not in the snapshot.
    state.u.fill(7, 50, 60);
    await ticket.durable;
    assert.deepEqual(await snap.restore({ step: state.step }), expected);
  }
  assert.ok(
    copied.every((bytes) => bytes < 1000),
    `copied: ${copied}`,
  );
});

test('SharedArrayBuffers are read where they are, and come back as they are', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { u: shared(LENGTH) };
  const { buffer } = state.u;
  const ticket = await snap.save(state, { lend: true });
  assert.equal(state.u[100], field(LENGTH)[100], 'it can be read meanwhile');
  assert.equal((await ticket.released).get('u'), buffer);
  state.u.fill(0);
  await ticket.durable;
  const restored = await snap.restore<typeof state>();
  assert.deepEqual(restored.u, shared(LENGTH));
});

test('what is not named in lend is copied, and may be changed at once', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { grids: [{ u: field(LENGTH) }, { u: field(LENGTH, 1) }], heap: field(LENGTH, 2) };
  const expected = structuredClone(state);
  const ticket = await snap.save(state, { lend: ['grids[1].u'] });
  state.grids[0]?.u.fill(0);
  state.heap.fill(0);
  assert.deepEqual([...(await ticket.released).keys()], ['grids[1].u']);
  assert.deepEqual(await snap.restore(), expected);
});

test('views of one buffer are lent with it, once', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const all = field(LENGTH);
  const state = { left: all.subarray(0, 100), right: all.subarray(100), all };
  const expected = structuredClone(state);
  const ticket = await snap.save(state, { lend: true });
  const released = await ticket.released;
  assert.deepEqual([...released.keys()], ['left']);
  assert.ok([state.left, state.right, state.all].every(isDetached));
  assert.deepEqual(new Float64Array(released.get('left') as ArrayBuffer), field(LENGTH));
  assert.deepEqual(await snap.restore(), expected);
});

test('a resizable buffer comes back resizable, and a growing one that is shared is saved as long as it was', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const growing = Reflect.construct(SharedArrayBuffer, [
    8000,
    { maxByteLength: 16_000 },
  ]) as SharedArrayBuffer & {
    grow(byteLength: number): void;
  };
  const state = {
    u: new Uint8Array(resizableBuffer(5000, 9000)).fill(3),
    w: new Uint8Array(growing, 0, 8000).fill(4),
  };
  const ticket = await snap.save(state, { lend: true });
  growing.grow(16_000);
  const back = (await ticket.released).get('u') as ReturnType<typeof resizableBuffer>;
  back.resize(9000);
  assert.equal(new Uint8Array(back)[4999], 3);
  const restored = await snap.restore<typeof state>();
  assert.deepEqual(restored.u, new Uint8Array(5000).fill(3));
  assert.deepEqual([restored.w.length, restored.w.buffer.byteLength], [8000, 8000]);
});

test('memory of WebAssembly can be lent where it is shared', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const memory = wasmMemory({ initial: 1, maximum: 2, shared: true });
  const heap = new Uint8Array(memory.buffer).fill(9);
  const ticket = await snap.save({ heap }, { lend: true });
  assert.equal((await ticket.released).get('heap'), heap.buffer);
  heap.fill(0);
  assert.ok((await snap.restore<{ heap: Uint8Array }>()).heap.every((byte) => byte === 9));
});

test('the state itself may be what is lent', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const ticket = await snap.save(field(LENGTH), { lend: [''] });
  assert.deepEqual(await numbersOf(ticket, ''), field(LENGTH));
  assert.deepEqual(await snap.restore(), field(LENGTH));
});

test('where nothing is lent, released is an empty map at once', async (t) => {
  await using snap = await Snap.open(storePath(t), { onBusy: 'skip' });
  const nothing = [
    await snap.save({ u: field(LENGTH) }),
    await snap.save({ u: field(LENGTH) }, { lend: false }),
    await snap.save({ u: field(LENGTH) }, { lend: [], onBusy: 'wait' }),
    await snap.save({ small: new Uint8Array(1024) }, { lend: true, onBusy: 'wait' }),
  ];
  for (const ticket of nothing) {
    assert.deepEqual(await ticket.released, new Map());
    assert.equal(ticket.released, ticket.released);
  }
});

/** A state, what of it is to be lent, and what the TypeError says. */
const MISUSE: [string, () => { state: unknown; lend: unknown }, RegExp][] = [
  ['something else', () => ({ state: {}, lend: 'u' }), /^lend takes true, or the paths of regions/],
  ['a list of something else', () => ({ state: {}, lend: [1] }), /^lend takes true, or the paths of regions/],
  [
    'a path that leads nowhere',
    () => ({ state: { u: field(LENGTH), v: field(LENGTH) }, lend: ['u', 'grid.u'] }),
    /^lend: "grid\.u" names no region of the state .* the regions are: "u", "v"$/,
  ],
  [
    'a path to something else than a buffer',
    () => ({ state: { solver: { u: field(LENGTH) } }, lend: ['solver'] }),
    /^lend: "solver" names no region of the state .* "solver\.u"$/,
  ],
  [
    'a buffer so small that it is part of the skeleton',
    () => ({ state: { small: new Uint8Array(1024) }, lend: ['small'] }),
    /^lend: "small" names no region of the state \(a buffer of more than 1 KiB.* the regions are: none$/,
  ],
  [
    'one of many',
    () => ({ state: Array.from({ length: 15 }, () => field(200)), lend: ['u'] }),
    /"\[9\]", 5 more$/,
  ],
  [
    'the second view of a buffer',
    () => {
      const u = field(LENGTH);
      return { state: { u, tail: u.subarray(5) }, lend: ['tail'] };
    },
    /^lend: "tail" names no region .* by the path of its first view\); the regions are: "u"$/,
  ],
  [
    'a Buffer of the pool',
    () => ({ state: { u: field(LENGTH), text: Buffer.from('x'.repeat(2000)) }, lend: true }),
    /^state\.text cannot be lent, because small Buffers share one buffer: make it with Buffer\.alloc, or name in lend/,
  ],
  [
    'a view of the pool',
    () => ({ state: { text: new Uint8Array(Buffer.from('abc').buffer) }, lend: true }),
    /^state\.text cannot be lent, because its buffer cannot be transferred .*: copy it into one of its own/,
  ],
  [
    'a WebAssembly.Memory',
    () => ({ state: { heap: wasmMemory({ initial: 1 }) }, lend: ['heap'] }),
    /^state\.heap cannot be lent, because WebAssembly keeps its memory: save it without lend/,
  ],
  [
    'a view of such a memory',
    () => ({ state: { u: new Uint8Array(wasmMemory({ initial: 1 }).buffer) }, lend: true }),
    /^state\.u cannot be lent, because its buffer cannot be transferred/,
  ],
  [
    'what the program keeps for itself',
    () => {
      const u = field(LENGTH);
      markAsUntransferable(u.buffer);
      return { state: { u }, lend: true };
    },
    /^state\.u cannot be lent, because its buffer cannot be transferred \(.*marked so\)/,
  ],
  [
    'two buffers of one name',
    () => {
      /** So deep that the middle of the path is left out. */
      const deep = (leaf: unknown) => {
        let inner: unknown = leaf;
        for (let depth = 0; depth < 120; depth++) inner = [inner];
        return inner;
      };
      return { state: deep([deep(field(200)), deep(field(200))]), lend: true };
    },
    /^two buffers are named state.*: lend neither$/,
  ],
];

for (const [what, make, message] of MISUSE) {
  test(`refused before anything happens: ${what}`, async (t) => {
    await using snap = await Snap.open(storePath(t));
    const { state, lend } = make();
    const before = textOf(state);
    await assert.rejects(snap.save(state, { lend: lend as true }), { name: 'TypeError', message });
    assert.deepEqual(textOf(state), before);
    // Both slots are still free.
    for (let round = 0; round < 3; round++) await snap.save(state, { durable: true });
  });
}

/** For comparing: memory of WebAssembly cannot be cloned. */
function textOf(state: unknown): string {
  return JSON.stringify(state, (_, value: unknown) =>
    ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
      : value,
  );
}

test('a view that was not put back is refused by the next save, with its path', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const state = { grid: { u: field(LENGTH) } };
  const ticket = await snap.save(state, { lend: true });
  await assert.rejects(snap.save(state), {
    code: 'SNAP_UNSUPPORTED',
    path: 'grid.u',
    message:
      /^state\.grid\.u has a detached buffer: where it was lent, make it anew over what ticket\.released gives back/,
  });
  state.grid.u = await numbersOf(ticket, 'grid.u');
  await snap.save(state, { durable: true });
  assert.deepEqual(await snap.restore(), { grid: { u: field(LENGTH) } });
});

test('what is lent comes back at once, whatever is still being written, and in the order of the saves', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const order: string[] = [];
  const noise = Float64Array.from({ length: 4_000_000 }, () => Math.random());
  const small = { u: field(LENGTH) };
  // Both are captured by the time that the second call returns.
  const saves = [snap.save({ noise }), snap.save(small, { lend: true })];
  const [large, first] = (await Promise.all(saves)) as [SaveTicket, SaveTicket];
  void large.durable.then(() => order.push('large is durable'));
  void first.released.then(() => order.push('first is back'));
  void first.durable.then(() => order.push('first is durable'));
  const second = snap.save({ v: field(LENGTH, 1) }, { lend: true });
  await first.released;
  void (await second).released.then(() => order.push('second is back'));
  await snap.flush();
  await new Promise(setImmediate);
  assert.equal(order[0], 'first is back');
  assert.deepEqual(new Set(order).size, 4);
  assert.ok(order.indexOf('first is back') < order.indexOf('second is back'));
});

test('a save that fails has given back what it borrowed, and the next one saves it', async (t) => {
  const path = storePath(t);
  await using snap = await Snap.open(path, faulty());
  const state = { n: 0, u: field(LENGTH), w: shared(LENGTH) };
  for (const durable of [false, true]) {
    state.n++;
    const expected = structuredClone({ n: state.n, u: state.u });
    setFault(path, { call: 'sync', code: 'EIO', times: 1 });
    let ticket: SaveTicket;
    if (durable) {
      const failure = await snap.save(state, { lend: true, durable }).catch((error: unknown) => error);
      assert.equal((failure as { code: string }).code, 'SNAP_IO');
      ({ ticket } = failure as { ticket: SaveTicket });
    } else {
      ticket = await snap.save(state, { lend: true });
      await assert.rejects(ticket.durable, { code: 'SNAP_IO' });
    }
    state.u = await numbersOf(ticket, 'u');
    assert.deepEqual({ n: state.n, u: state.u }, expected);
    const again = await snap.save(state, { lend: ['u'], durable: true });
    state.u = await numbersOf(again, 'u');
    assert.deepEqual(await snap.restore(), { ...expected, w: shared(LENGTH) });
  }
});

test('a save that is given up while it becomes durable tells where its buffers are', async (t) => {
  await using snap = await Snap.open(storePath(t));
  const controller = new AbortController();
  const state = { u: field(2_000_000) };
  const saving = snap.save(state, { lend: true, durable: true, signal: controller.signal });
  controller.abort();
  const error = await saving.catch((reason: unknown) => reason);
  assert.equal((error as Error).name, 'AbortError');
  const { ticket } = error as { ticket: SaveTicket };
  assert.deepEqual(await numbersOf(ticket, 'u'), field(2_000_000));
  await snap.flush();
  assert.deepEqual(await snap.restore(), { u: field(2_000_000) });
});
