/** What a store refuses to read, write or allocate, each with everything else in order. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError, type SnapErrorCode } from '../../src/base/errors.js';
import { asChunkId } from '../../src/base/ids.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { encodeDescriptor } from '../../src/format/descriptor.js';
import type { Location } from '../../src/format/pack.js';
import { EntryList, PAGE_ENTRIES } from '../../src/format/page.js';
import { Codec, Filter, HEADER_BYTES, RecordFlag, RecordType } from '../../src/format/record.js';
import { Chunking, CONTENT_RANGE } from '../../src/format/tree.js';
import { Index } from '../../src/store/index.js';
import { chunkEntryKey } from '../../src/store/index-keys.js';
import { memoryKeyValues } from '../../src/store/key-values.js';
import { RegionTree } from '../../src/store/region-tree.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { FORGED_ID, Forge, treeOf } from '../support/forge.js';
import { flip, packPath, recordsOf } from '../support/pack-bytes.js';
import { STORE } from '../support/session.js';
import { type DiskImage, SimulatedDisk } from '../support/simulated-disk.js';

const withCode = (code: SnapErrorCode) => (error: unknown) => isSnapError(error, code);
const chunk = Buffer.from('a chunk of somebody'.repeat(4));

/** Opens a forged store in both ways and reads its snapshot, if it has one. */
async function readForged(image: DiskImage): Promise<void> {
  for (const readOnly of [true, false]) {
    const { store } = await openOn(new SimulatedDisk(1, image), { create: false, readOnly });
    try {
      if (store.byId(FORGED_ID)) readFrom(store, FORGED_ID);
    } finally {
      await store.close();
    }
  }
}

/** Bytes of the largest buffer that is asked for meanwhile, whether it is ever touched or not. */
async function largestBuffer(body: () => Promise<unknown>): Promise<number> {
  let largest = 0;
  const names = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;
  const originals = names.map((name) => Buffer[name]);
  for (const [index, name] of names.entries()) {
    Buffer[name] = (size: number, ...rest: never[]) => {
      largest = Math.max(largest, size);
      // No need to have it: one that is too small for what it is meant for shows just as well.
      return (originals[index] as typeof Buffer.alloc)(Math.min(size, 1 << 26), ...rest);
    };
  }
  try {
    await body();
  } finally {
    for (const [index, name] of names.entries()) Buffer[name] = originals[index] as typeof Buffer.alloc;
  }
  return largest;
}

/** Changes bytes of a file that is open. */
function overwrite(disk: SimulatedDisk, path: string, bytes: Buffer, position: number): void {
  const file = disk.open(path, 'write');
  file.write(bytes, position);
  file.close();
}

test('a manifest with a wrong bit is damaged whenever it is read', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const { id } = await saveTo(store, contentOf(chunk));
  const summary = store.byId(id) ?? assert.fail('it is gone');
  const sound = Buffer.from(disk.contents(packPath(1)));
  const { offset, storedLength } =
    recordsOf(sound).find(({ type }) => type === RecordType.manifest) ?? assert.fail('no manifest');
  for (let at = offset + HEADER_BYTES; at < offset + HEADER_BYTES + storedLength; at++) {
    const wrong = Buffer.from(sound);
    flip(wrong, at, at & 7);
    overwrite(disk, packPath(1), wrong.subarray(at, at + 1), at);
    assert.throws(() => store.manifest(summary), withCode('SNAP_CORRUPT'));
    overwrite(disk, packPath(1), sound.subarray(at, at + 1), at);
  }
  assert.equal(store.manifest(summary).id, id);
  await store.close();
});

test('what a newer program stored is refused as such, and not called damage', async () => {
  for (const lie of [
    { codec: 2 as Codec },
    { filter: 9 as Filter },
    { flags: RecordFlag.encrypted },
    { flags: 128 },
  ]) {
    const forge = new Forge();
    forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk, lie), chunk.length));
    forge.commit();
    await assert.rejects(readForged(forge.image()), withCode('SNAP_FORMAT'), JSON.stringify(lie));
  }
});

test('a store with a feature that this program does not know is not opened for that', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const { id } = await saveTo(store, contentOf(chunk));
  await store.close();
  const { descriptor } = store;
  for (const operation of ['read', 'write', 'gc'] as const) {
    const features = { ...descriptor.features, [operation]: ['something new'] };
    disk.plant(`${STORE}/holdfast.json`, encodeDescriptor({ ...descriptor, features }));
    for (const readOnly of [true, false]) {
      const refused = operation === 'read' || (operation === 'write' && !readOnly);
      const opening = openOn(disk, { readOnly });
      if (refused) await assert.rejects(opening, withCode('SNAP_FORMAT'), operation);
      else {
        const opened = await opening;
        readFrom(opened.store, id);
        await opened.store.close();
      }
    }
  }
});

test('an index entry is no answer under the key of another of its kind', async () => {
  const memory = memoryKeyValues();
  let distrusted = 0;
  const index = new Index(memory, { needed: () => distrusted++, make: memoryKeyValues });
  const idOf = (fill: number) => asChunkId(Buffer.alloc(32, fill));
  const location: Location = {
    pack: 1,
    offset: 8,
    storedLength: 1,
    rawLength: 1,
    type: RecordType.chunk,
    codec: Codec.raw,
    filter: Filter.none,
    flags: 0,
  };
  index.apply({ id: idOf(1), location });
  await index.flush();
  const value = memory.get(chunkEntryKey(idOf(1))) ?? assert.fail('no entry');
  const key = chunkEntryKey(idOf(2));
  await memory.write([{ key, value }]);
  assert.deepEqual(index.locate(idOf(1)), location);
  assert.equal(index.locate(idOf(2)), undefined);
  assert.equal(distrusted, 1);
});

const MiB = 1 << 20;
/** What a store takes for itself. */
const HONEST_BYTES = 16 * MiB;

test('a payload is given room only if the file is as long as its header says', async () => {
  for (const type of [RecordType.manifest, RecordType.commit, RecordType.packHeader]) {
    const forge = new Forge();
    forge.add(type, chunk, { storedLength: 60 * MiB, rawLength: 60 * MiB });
    forge.commit();
    assert.ok((await largestBuffer(() => readForged(forge.image()))) < HONEST_BYTES, `type ${type}`);
  }
  const forge = new Forge();
  forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk), chunk.length));
  forge.commit();
  forge.seal(undefined, { storedLength: 1000 * MiB, rawLength: 1000 * MiB });
  assert.ok((await largestBuffer(() => readForged(forge.image()))) < HONEST_BYTES, 'a footer');
});

test('a page is given no more room than a record may take, whatever a footer says', async () => {
  const list = new EntryList();
  list.resize(1);
  list.set(0, chunkIdOf(chunk), chunk.length);
  const forge = new Forge();
  forge.add(RecordType.chunk, chunk);
  forge.addSnapshot(treeOf(forge.add(RecordType.page, list.toPage(0, 0, 1)), chunk.length, 1));
  forge.commit();
  forge.seal((entry) =>
    entry.location.type === RecordType.page
      ? { ...entry, location: { ...entry.location, rawLength: 0xffff_ffff } }
      : entry,
  );
  const reading = () => assert.rejects(readForged(forge.image()), withCode('SNAP_CORRUPT'));
  assert.ok((await largestBuffer(reading)) < HONEST_BYTES);
});

test('a patch is given no more room than its page can use, whatever it says of itself', async () => {
  const forge = new Forge();
  const base = forge.add(RecordType.page, Buffer.alloc(88));
  const length = Buffer.alloc(4, 0xff);
  const patch = Buffer.concat([base, length, Buffer.alloc(8)]);
  const id = chunkIdOf(Buffer.alloc(88, 1));
  const lies = { id, rawLength: 88, filter: Filter.patch, flags: RecordFlag.hasBase };
  forge.add(RecordType.page, patch, lies);
  forge.addSnapshot(treeOf(id, 2 * chunk.length, 1));
  forge.commit();
  const reading = () => assert.rejects(readForged(forge.image()), withCode('SNAP_CORRUPT'));
  assert.ok((await largestBuffer(reading)) < HONEST_BYTES);
});

/** A page over the same page 256 times is small on the disk, and a list of 65,536 chunks in memory. */
test('a tree whose pages are shared is not loaded, whatever chunk size it claims', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  store.begin();
  let { id } = store.putChunk(chunk);
  let byteLength = chunk.length;
  for (let height = 0; height < 2; height++) {
    const list = new EntryList();
    list.resize(PAGE_ENTRIES);
    for (let index = 0; index < PAGE_ENTRIES; index++) list.set(index, id, byteLength);
    ({ id } = store.putPage(list.toPage(height, 0, PAGE_ENTRIES), undefined));
    byteLength *= PAGE_ENTRIES;
  }
  await store.commit();
  for (const chunkBytes of [byteLength, byteLength / PAGE_ENTRIES, chunk.length * 2]) {
    const tree = { ...treeOf(id, byteLength, 2), chunkBytes };
    assert.throws(() => RegionTree.load(store, tree), withCode('SNAP_CORRUPT'), `chunks of ${chunkBytes}`);
  }
  const { contentDefined } = Chunking;
  for (const chunkBytes of [byteLength, byteLength / PAGE_ENTRIES, chunk.length * (CONTENT_RANGE + 1)]) {
    const tree = { ...treeOf(id, byteLength, 2), chunking: contentDefined, chunkBytes };
    assert.throws(() => RegionTree.load(store, tree), withCode('SNAP_CORRUPT'), `chunks of ${chunkBytes}`);
  }
  const honest = { ...treeOf(id, byteLength, 2), chunking: contentDefined, chunkBytes: chunk.length };
  assert.equal(RegionTree.load(store, honest).count, PAGE_ENTRIES ** 2);
  await store.close();
});

/** Pages are made over chunks by position: where one of them is not full, those behind it would be taken for others. */
test('a tree cut by content is loaded only if its pages are full and its chunks have lengths of chunks', async () => {
  const { store } = await openOn(new SimulatedDisk(1));
  const pageOf = (lengths: readonly number[]) => {
    const list = new EntryList();
    list.resize(lengths.length);
    for (const [index, byteLength] of lengths.entries()) list.set(index, chunkIdOf(chunk), byteLength);
    const { id } = store.putPage(list.toPage(0, 0, lengths.length), undefined);
    return { id, byteLength: list.total() };
  };
  const load = async (pages: readonly (readonly number[])[]) => {
    store.begin();
    const entries = pages.map(pageOf);
    await store.commit();
    const byteLength = entries.reduce((sum, entry) => sum + entry.byteLength, 0);
    return RegionTree.load(store, {
      byteLength,
      chunking: Chunking.contentDefined,
      chunkBytes: 64,
      height: 1,
      entries,
    });
  };
  const full = Array<number>(PAGE_ENTRIES).fill(64);
  const refused = (pages: readonly (readonly number[])[], what: string) =>
    assert.rejects(load(pages), withCode('SNAP_CORRUPT'), what);
  const allowed = await load([full, full.with(3, 16).with(4, 256), [16, 3]]);
  assert.equal(allowed.count, 2 * PAGE_ENTRIES + 2);
  await refused([full, full.slice(1), full], 'a page that is not full');
  await refused([full, full.with(3, 15)], 'a chunk that is too short');
  await refused([full.with(255, 15), full], 'the last of a page that is not the last');
  await refused([full, full.with(3, 257)], 'a chunk that is too long');
  await refused([full, [64, 257]], 'a last one that is too long');
  await store.close();
});
