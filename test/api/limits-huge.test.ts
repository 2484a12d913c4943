/**
 * Buffers around 2^31 and 2^32 bytes, where lengths and offsets stop fitting 32 bits, saved and restored for real. Only
 * with HOLDFAST_SOAK=1 or more, because they take minutes and up to 14 GiB of memory; what is cheap of it runs always, in
 * test/store/limits.test.ts.
 */

import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { type TestContext, test } from 'node:test';
import { formatBytes, GiB, MiB } from '../../src/base/sizes.js';
import { Snap } from '../../src/index.js';
import { availableMemory } from '../../src/io/machine.js';
import { skippedUnlessSoaking } from '../support/budget.js';
import { storePath } from './support.js';

// Node's types leave WebAssembly to those of browsers.
const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => { buffer: ArrayBuffer } };
  }
).WebAssembly;

type Numbers = Uint8Array | Float64Array;

/** What has to be there: the state, one slot, what is restored, and room. */
function skipsFor(byteLength: number, copies: number): string | undefined {
  if (skippedUnlessSoaking) return skippedUnlessSoaking;
  if (byteLength > constants.MAX_LENGTH) return `a buffer here has at most ${constants.MAX_LENGTH} bytes`;
  const needed = copies * byteLength + GiB;
  if (availableMemory() >= needed) return undefined;
  return `it takes ${formatBytes(needed)} of memory, and ${formatBytes(availableMemory())} are available`;
}

/** Indexes at which a length or offset of too few bits shows. */
function edges(numbers: Numbers): number[] {
  const places = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((byte) =>
    Math.floor(byte / numbers.BYTES_PER_ELEMENT),
  );
  const all = new Set([0, 1, ...places, numbers.length - 2, numbers.length - 1]);
  return [...all].filter((index) => index < numbers.length);
}

function mark(numbers: Numbers, seed: number): void {
  for (const [position, index] of edges(numbers).entries()) numbers[index] = seed + position;
}

function assertMarked(numbers: Numbers, seed: number, length: number): void {
  assert.equal(numbers.length, length);
  const marked = edges(numbers);
  for (const [position, index] of marked.entries()) assert.equal(numbers[index], seed + position, `${index}`);
  for (let index = 1000; index < length; index += 100_003) {
    if (!marked.includes(index)) assert.equal(numbers[index], 0, `${index}`);
  }
}

async function roundTrip(t: TestContext, make: () => Numbers): Promise<void> {
  const state = { n: 1, u: make() };
  const { length, byteLength } = state.u;
  // Room for one slot alone.
  const memoryLimit = Math.ceil(1.3 * byteLength) + 256 * MiB;
  const path = storePath(t);
  const snap = await Snap.open(path, { memoryLimit });
  mark(state.u, 1);
  const first = await (await snap.save(state)).durable;
  assert.ok(first.logicalBytes > byteLength && first.changedBytes > byteLength);
  mark(state.u, 100);
  state.n = 2;
  const second = await (await snap.save(state)).durable;
  assert.ok(second.changedBytes < MiB, `${second.changedBytes} bytes changed`);
  await snap.restore(first.id, { into: state });
  assert.equal(state.n, 1);
  assertMarked(state.u, 1, length);
  assert.ok((await snap.verify({ readData: true })).ok);
  await snap.close();
  state.u = new Uint8Array(0);
  await using reader = await Snap.open(path, { readOnly: true });
  const restored = await reader.restore<typeof state>(second.id);
  assert.equal(restored.n, 2);
  assertMarked(restored.u, 100, length);
}

for (const [what, byteLength] of [
  ['2^31 - 1', 2 ** 31 - 1],
  ['2^31', 2 ** 31],
  ['2^31 + 1', 2 ** 31 + 1],
  ['2^32 - 1', 2 ** 32 - 1],
  ['2^32', 2 ** 32],
  ['2^32 + 1', 2 ** 32 + 1],
] as const) {
  const skip = skipsFor(byteLength, 3.4) ?? false;
  test(`an array of ${what} bytes`, { skip }, (t) => roundTrip(t, () => new Uint8Array(byteLength)));
}

test('an array of 2^29 doubles', { skip: skipsFor(2 ** 32, 3.4) ?? false }, (t) =>
  roundTrip(t, () => new Float64Array(2 ** 29)),
);

test('a state of more than 2^32 bytes, in several arrays', {
  skip: skipsFor(5 * GiB, 2.4) ?? false,
}, async (t) => {
  const length = 2.5 * GiB;
  const memoryLimit = Math.ceil(1.3 * 2 * length) + 256 * MiB;
  const path = storePath(t);
  const snap = await Snap.open(path, { memoryLimit });
  const arrays = [new Uint8Array(length), new Uint8Array(length)];
  for (const [seed, array] of arrays.entries()) mark(array, 10 * (seed + 1));
  const { id, durable } = await snap.save({ arrays });
  assert.ok((await durable).logicalBytes > 2 * length);
  arrays.length = 0;
  await snap.close();
  await using reader = await Snap.open(path, { readOnly: true });
  const restored = await reader.restore<{ arrays: Uint8Array[] }>(id);
  for (const [seed, array] of restored.arrays.entries()) assertMarked(array, 10 * (seed + 1), length);
});

test('a WebAssembly memory of 2^32 bytes', { skip: skipsFor(2 ** 32, 3.4) ?? false }, async (t) => {
  const memoryLimit = Math.ceil(1.3 * 2 ** 32) + 256 * MiB;
  await using snap = await Snap.open(storePath(t), { memoryLimit });
  const memory = new Memory({ initial: 65_536, maximum: 65_536 });
  const bytes = () => new Uint8Array(memory.buffer);
  mark(bytes(), 1);
  const { id } = await snap.save({ memory }, { durable: true });
  mark(bytes(), 100);
  await snap.restore(id, { into: { memory } });
  assertMarked(bytes(), 1, 2 ** 32);
});
