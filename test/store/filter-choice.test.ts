/** Which filters are chosen, and when a chunk goes on from another base: what that costs, and what it saves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { NOWHERE } from '../../src/chunker/recut.js';
import type { RegionKind } from '../../src/format/kinds.js';
import { Filter } from '../../src/format/record.js';
import { FilterChoice } from '../../src/store/filter-choice.js';
import type { Store } from '../../src/store/store.js';
import { openOn } from '../support/direct.js';
import { Random } from '../support/random.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const CHUNK = 4096;
const CHUNKS = 8;
const random = new Random(1);

/** A region that is saved again and again, as the saver does it. */
class Saved {
  readonly ids: (ChunkId | undefined)[] = [];
  readonly choice: FilterChoice;
  readonly #store: Store;

  constructor(store: Store, kind: RegionKind) {
    this.#store = store;
    this.choice = new FilterChoice(kind);
  }

  /** Returns how many bytes were appended. */
  async save(bytes: Buffer, changed: readonly number[]): Promise<number> {
    const { choice, ids } = this;
    const chunk = (index: number) => bytes.subarray(index * CHUNK, (index + 1) * CHUNK);
    this.#store.begin();
    const samples = choice.samples(changed.length).map((position) => {
      const index = changed[position] as number;
      return { raw: chunk(index), previous: ids[index] };
    });
    choice.learn(this.#store, samples);
    let written = 0;
    for (const index of changed) {
      const id = chunkIdOf(chunk(index));
      written += choice.put(this.#store, index, chunk(index), id, ids[index]);
      ids[index] = id;
    }
    await this.#store.commit();
    return written;
  }
}

const ALL = Array.from({ length: CHUNKS }, (_, index) => index);

async function opened(kind: RegionKind): Promise<{ store: Store; saved: Saved }> {
  const { store } = await openOn(new SimulatedDisk(1), { compression: { level: 1 } });
  return { store, saved: new Saved(store, kind) };
}

function touch(bytes: Buffer, index: number): void {
  bytes.writeDoubleLE(random.next(), index * CHUNK + 8 * random.below(CHUNK / 8));
}

for (const kind of ['Float64Array', 'Float32Array', 'bytes', 'Uint8Array', 'skeleton'] as const) {
  test(`of ${kind}, small changes are stored as differences from the second save on`, async () => {
    const { store, saved } = await opened(kind);
    const bytes = random.bytes(CHUNK * CHUNKS);
    const first = await saved.save(bytes, ALL);
    assert.equal(saved.choice.difference, undefined);
    for (let step = 0; step < 5; step++) {
      for (const index of ALL) touch(bytes, index);
      const written = await saved.save(bytes, ALL);
      assert.ok(written < first / 8, `${written} of ${first} bytes`);
    }
    await store.close();
  });
}

for (const kind of ['Float64Array', 'bytes', 'skeleton'] as const) {
  test(`of ${kind}, bytes that move a little are stored as differences that know it`, async () => {
    const { store, saved } = await opened(kind);
    let bytes = random.bytes(CHUNK * CHUNKS);
    const first = await saved.save(bytes, ALL);
    for (let step = 0; step < 3; step++) {
      const at = random.below(CHUNK / 4);
      bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(5), bytes.subarray(at)]);
      const written = await saved.save(bytes.subarray(0, CHUNK * CHUNKS), ALL);
      assert.ok(written < first / 8, `${written} of ${first} bytes`);
      assert.equal(saved.choice.difference, Filter.dictionary);
    }
    await store.close();
  });
}

test('a last chunk that grew tells nothing of differences that it cannot be stored as', async () => {
  const { store, saved } = await opened('Float64Array');
  const bytes = random.bytes(CHUNK * CHUNKS);
  await saved.save(bytes.subarray(0, CHUNK * CHUNKS - 800), ALL);
  touch(bytes, 0);
  await saved.save(bytes, [0, CHUNKS - 1]);
  assert.equal(saved.choice.difference, Filter.dictionary);
  await store.close();
});

test('of numbers that change slowly the differences are stored that zstd alone does not find', async () => {
  const { store, saved } = await opened('Float64Array');
  const numbers = new Float64Array((CHUNK * CHUNKS) / 8);
  const step = async (time: number) => {
    for (const at of numbers.keys()) numbers[at] = 20 + Math.sin(at / 50 + time / 1000) + Math.sin(at) / 1e9;
    return saved.save(Buffer.from(numbers.buffer), ALL);
  };
  await step(0);
  await step(1);
  assert.equal(saved.choice.difference, Filter.difference8);
  await store.close();
});

test('where everything changes nothing is read back but for trials, more and more seldom', async () => {
  const { store, saved } = await opened('Float64Array');
  await saved.save(random.bytes(CHUNK * CHUNKS), ALL);
  const tried: number[] = [];
  for (let save = 1; save <= 130; save++) {
    const { readBytes } = store;
    await saved.save(random.bytes(CHUNK * CHUNKS), ALL);
    assert.equal(saved.choice.difference, undefined);
    if (store.readBytes > readBytes) tried.push(save);
  }
  assert.deepEqual(tried, [1, 3, 7, 15, 31, 63, 95, 127]);
  await store.close();
});

test('a first change like no other does not put off differences for long', async () => {
  const { store, saved } = await opened('Float64Array');
  const bytes = random.bytes(CHUNK * CHUNKS);
  const first = await saved.save(bytes, ALL);
  random.bytes(bytes.length).copy(bytes);
  await saved.save(bytes, ALL);
  let written = 0;
  for (let step = 0; step < 3; step++) {
    for (const index of ALL) touch(bytes, index);
    written = await saved.save(bytes, ALL);
  }
  assert.ok(written < first / 8, `${written} of ${first} bytes`);
  await store.close();
});

test('what is looked at and did not change tells nothing', async () => {
  const { store, saved } = await opened('Float64Array');
  const bytes = random.bytes(CHUNK * CHUNKS);
  await saved.save(bytes, ALL);
  await saved.save(bytes, ALL);
  assert.equal(saved.choice.difference, undefined);
  await store.close();
});

test('as changes gather, other bases are due: less is written than with one base, or with none', async () => {
  const { store, saved } = await opened('Float64Array');
  const bytes = random.bytes(CHUNK * CHUNKS);
  const alone = await saved.save(bytes, ALL);
  const versions = 60;
  let written = 0;
  let renewals = 0;
  for (let version = 0; version < versions; version++) {
    for (const index of ALL) for (let times = 0; times < 8; times++) touch(bytes, index);
    written += await saved.save(bytes, ALL);
    renewals += saved.ids.filter((id) => id && store.baseOf(id) === undefined).length;
  }
  assert.ok(written < 0.4 * alone * versions, `${written} of ${alone * versions} bytes`);
  assert.ok(renewals > CHUNKS && renewals < 20 * CHUNKS, `${renewals} other bases`);
  await store.close();
});

test('a region that is cut anew goes on from the bases that its chunks have', async () => {
  const { store, saved } = await opened('bytes');
  let bytes = random.bytes(CHUNK);
  const alone = await saved.save(bytes, [0]);
  let written = 0;
  const versions = 60;
  for (let version = 0; version < versions; version++) {
    for (let times = 0; times < 8; times++) touch(bytes, version);
    written += await saved.save(bytes, [version]);
    // Another chunk comes before it.
    bytes = Buffer.concat([Buffer.alloc(CHUNK), bytes]);
    saved.ids.unshift(undefined);
    saved.choice.follow([NOWHERE, ...Array(version + 1).keys()]);
  }
  assert.ok(written < 0.25 * alone * versions, `${written} of ${alone * versions} bytes`);
  await store.close();
});

test('what is put may be read again until differences were tried in vain, and while they pay', async () => {
  const { store, saved } = await opened('Float64Array');
  const { choice } = saved;
  assert.equal(choice.readsAgain, true, 'nobody knows yet');
  await saved.save(random.bytes(CHUNKS * CHUNK), ALL);
  assert.equal(choice.readsAgain, true);
  const bytes = random.bytes(CHUNKS * CHUNK);
  await saved.save(bytes, ALL);
  assert.equal(choice.readsAgain, false, 'there is nothing in common');
  for (let times = 0; times < 4; times++) {
    touch(bytes, 3);
    await saved.save(bytes, ALL);
  }
  assert.notEqual(choice.difference, undefined);
  assert.equal(choice.readsAgain, true);
  await store.close();
});
