/** Somebody else's folder, with every checksum right: typed errors, little memory, no time at all. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSnapError, type SnapErrorCode } from '../../src/base/errors.js';
import { chunkIdOf } from '../../src/chunker/ids.js';
import { findCompressor } from '../../src/compress/compressor.js';
import { MAX_FILTERED_BYTES } from '../../src/format/bases.js';
import { EntryList, PAGE_ENTRIES } from '../../src/format/page.js';
import { makePatch } from '../../src/format/patch.js';
import { Codec, Filter, RecordFlag, type RecordHeader, RecordType } from '../../src/format/record.js';
import { Store } from '../../src/store/store.js';
import { FORGED_ID, Forge, treeOf } from '../support/forge.js';
import { Random } from '../support/random.js';
import { readSnapshot } from '../support/saved.js';
import { STORE } from '../support/session.js';
import { type DiskImage, SimulatedDisk } from '../support/simulated-disk.js';

const MEMORY_BYTES = 80 << 20;
const random = new Random(1);

/** Opens a forged store in both ways and restores from it; says with which code that fails, if it does. */
async function restore(image: DiskImage): Promise<SnapErrorCode | 'restored' | 'absent'> {
  let outcome: SnapErrorCode | 'restored' | 'absent' = 'absent';
  for (const readOnly of [true, false]) {
    const before = process.memoryUsage().arrayBuffers;
    const started = performance.now();
    const disk = new SimulatedDisk(1, image);
    try {
      const store = await Store.open({
        io: disk,
        directory: STORE,
        create: false,
        readOnly,
        compression: false,
        onWarning: () => {},
        simulated: true,
      });
      const summary = store.byId(FORGED_ID);
      outcome = summary ? 'restored' : 'absent';
      try {
        if (summary) readSnapshot(store, summary);
      } finally {
        await store.close();
      }
    } catch (error) {
      if (!isSnapError(error)) throw error;
      outcome = error.code;
    }
    assert.ok(performance.now() - started < 2000, 'it takes too long');
    assert.ok(process.memoryUsage().arrayBuffers - before < MEMORY_BYTES, 'it takes too much memory');
  }
  return outcome;
}

const chunk = Buffer.from('a chunk of somebody'.repeat(4));

test('a forged store that is in order can be read', async () => {
  for (const sealed of [false, true]) {
    const forge = new Forge();
    forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk), chunk.length));
    forge.commit();
    if (sealed) forge.seal();
    assert.equal(await restore(forge.image()), 'restored');
  }
});

test('a footer that claims to be larger than the file is not one', async () => {
  const forge = new Forge();
  forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk), chunk.length));
  forge.commit();
  forge.seal(undefined, { storedLength: 1 << 30, rawLength: 1 << 30 });
  assert.equal(await restore(forge.image()), 'restored');
});

test('a chunk that claims to be larger than the file is not read', async () => {
  const forge = new Forge();
  forge.addSnapshot(
    treeOf(forge.add(RecordType.chunk, chunk, { storedLength: 60 << 20, rawLength: 60 << 20 }), 60 << 20),
  );
  forge.commit();
  assert.equal(await restore(forge.image()), 'absent');
});

test('footer entries with impossible places and lengths are refused', async () => {
  const lies = [
    { rawLength: 0xffff_ffff },
    { storedLength: 0xffff_ffff },
    { offset: 2 ** 60 },
    { offset: 2 ** 52 },
  ];
  for (const target of [RecordType.chunk, RecordType.manifest]) {
    for (const lie of lies) {
      const forge = new Forge();
      forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk), chunk.length));
      forge.commit();
      forge.seal((entry) =>
        entry.location.type === target ? { ...entry, location: { ...entry.location, ...lie } } : entry,
      );
      const outcome = await restore(forge.image());
      const harmless = target === RecordType.manifest && 'rawLength' in lie && outcome === 'restored';
      const refused = outcome === 'SNAP_CORRUPT' || outcome === 'absent';
      assert.ok(refused || harmless, `${JSON.stringify(lie)}: ${outcome}`);
    }
  }
});

test('a frame that inflates to more than its record says is refused', async () => {
  const compressor = findCompressor(1);
  const bomb = Buffer.alloc(100 << 20);
  const frame = Buffer.alloc(1 << 20);
  const length = compressor.compress(bomb, frame);
  assert.ok(length > 0);
  for (const rawLength of [64, 1 << 20]) {
    const forge = new Forge();
    const id = forge.add(RecordType.chunk, frame.subarray(0, length), { codec: Codec.zstd, rawLength });
    forge.addSnapshot(treeOf(id, rawLength));
    forge.commit();
    assert.equal(await restore(forge.image()), 'SNAP_CORRUPT');
  }
});

test('bytes that do not have the id they are stored under are refused', async () => {
  const forge = new Forge();
  const id = forge.add(RecordType.chunk, chunk, { id: chunkIdOf(Buffer.from('other')) });
  forge.addSnapshot(treeOf(id, chunk.length));
  forge.commit();
  assert.equal(await restore(forge.image()), 'SNAP_CORRUPT');
});

test('a patch whose base is a patch, itself, missing or nothing is refused', async () => {
  const list = new EntryList();
  list.resize(2);
  for (const index of [0, 1]) list.set(index, chunkIdOf(chunk), chunk.length);
  const page = list.toPage(0, 0, 2);
  const patched = (base: Buffer, baseBytes: Buffer, next: Buffer): Buffer => {
    const patch = makePatch(baseBytes, next, 1e6) as Buffer;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(patch.length);
    return Buffer.concat([base, length, patch]);
  };
  const lies = {
    id: chunkIdOf(page),
    rawLength: page.length,
    filter: Filter.patch,
    flags: RecordFlag.hasBase,
  };
  const bases: [string, (forge: Forge) => Buffer, object?][] = [
    ['itself', () => chunkIdOf(page)],
    ['missing', () => chunkIdOf(Buffer.from('nowhere'))],
    ['no flag', (forge) => forge.add(RecordType.page, Buffer.alloc(88)), { flags: 0 }],
    [
      'a patch',
      (forge) => {
        const full = forge.add(RecordType.page, Buffer.alloc(88));
        const other = Buffer.alloc(88, 1);
        return forge.add(RecordType.page, patched(full, Buffer.alloc(88), other), {
          ...lies,
          id: chunkIdOf(other),
        });
      },
    ],
  ];
  for (const [what, makeBase, more] of bases) {
    const forge = new Forge();
    forge.add(RecordType.chunk, chunk);
    const base = makeBase(forge);
    forge.add(RecordType.page, patched(base, Buffer.alloc(88), page), { ...lies, ...more });
    forge.addSnapshot(treeOf(chunkIdOf(page), 2 * chunk.length, 1));
    forge.commit();
    assert.equal(await restore(forge.image()), 'SNAP_CORRUPT', what);
  }
});

test('a difference whose base is a difference, itself, missing, of another length or nothing is refused', async () => {
  const raw = Buffer.alloc(256, 3);
  const other = Buffer.alloc(256, 5);
  const difference = (base: Buffer, frame = Buffer.alloc(256)) => Buffer.concat([base, frame]);
  const lies = {
    id: chunkIdOf(raw),
    rawLength: raw.length,
    filter: Filter.difference8,
    flags: RecordFlag.hasBase,
  };
  const bases: [string, (forge: Forge) => Buffer, object?][] = [
    ['itself', () => chunkIdOf(raw)],
    ['missing', () => chunkIdOf(Buffer.from('nowhere'))],
    ['no flag', (forge) => forge.add(RecordType.chunk, raw.subarray(1)), { flags: 0 }],
    ['too short', (forge) => forge.add(RecordType.chunk, raw.subarray(1))],
    ['too long', (forge) => forge.add(RecordType.chunk, Buffer.concat([raw, raw]))],
    ['other bytes', (forge) => forge.add(RecordType.chunk, other)],
    [
      'a difference',
      (forge) => {
        const alone = forge.add(RecordType.chunk, other);
        return forge.add(RecordType.chunk, difference(alone), { ...lies, id: chunkIdOf(Buffer.alloc(256)) });
      },
    ],
  ];
  for (const [what, makeBase, more] of bases) {
    const forge = new Forge();
    const base = makeBase(forge);
    const id = forge.add(RecordType.chunk, difference(base), { ...lies, ...more });
    forge.addSnapshot(treeOf(id, raw.length));
    forge.commit();
    assert.equal(await restore(forge.image()), 'SNAP_CORRUPT', what);
  }
});

/** Bytes, and a frame of them for which other bytes are the dictionary. */
function framed(raw: Buffer, dictionary: Buffer): Buffer {
  const frame = Buffer.alloc(raw.length + 100);
  return frame.subarray(0, findCompressor(1).compress(raw, frame, dictionary));
}

test('a dictionary that is one itself, missing, too short or long, or not what zstd takes as it is, is refused', async (t) => {
  const raw = random.bytes(256);
  const other = Buffer.concat([raw.subarray(8), raw.subarray(0, 8)]);
  if (framed(raw, other).length === 0) return t.skip('the zstd here takes no dictionaries');
  const lies = {
    id: chunkIdOf(raw),
    rawLength: raw.length,
    codec: Codec.zstd,
    filter: Filter.dictionary,
    flags: RecordFlag.hasBase,
  };
  const entropy = Buffer.from(other);
  entropy.writeUInt32LE(0xec30a437);
  const kinds: [
    string,
    SnapErrorCode | 'restored',
    (forge: Forge) => Buffer,
    Partial<RecordHeader>?,
    Buffer?,
  ][] = [
    ['as it is written', 'restored', (forge) => forge.add(RecordType.chunk, other)],
    ['itself', 'SNAP_CORRUPT', () => chunkIdOf(raw)],
    ['missing', 'SNAP_CORRUPT', () => chunkIdOf(Buffer.from('nowhere'))],
    ['no flag', 'SNAP_CORRUPT', (forge) => forge.add(RecordType.chunk, other), { flags: 0 }],
    ['no frame', 'SNAP_CORRUPT', (forge) => forge.add(RecordType.chunk, other), { codec: Codec.raw }, raw],
    ['other bytes', 'SNAP_CORRUPT', (forge) => forge.add(RecordType.chunk, random.bytes(256))],
    [
      'too short',
      'SNAP_CORRUPT',
      (forge) => forge.add(RecordType.chunk, Buffer.alloc(7)),
      {},
      framed(raw, raw),
    ],
    [
      'too long',
      'SNAP_CORRUPT',
      (forge) => forge.add(RecordType.chunk, Buffer.alloc(MAX_FILTERED_BYTES + 1)),
    ],
    ['of zstd', 'SNAP_CORRUPT', (forge) => forge.add(RecordType.chunk, entropy), {}, framed(raw, other)],
    [
      'a difference',
      'SNAP_CORRUPT',
      (forge) => {
        const alone = forge.add(RecordType.chunk, raw);
        const stored = Buffer.concat([alone, framed(other, raw)]);
        return forge.add(RecordType.chunk, stored, { ...lies, id: chunkIdOf(other) });
      },
    ],
  ];
  for (const [what, outcome, makeBase, more, frame = framed(raw, other)] of kinds) {
    const forge = new Forge();
    const base = makeBase(forge);
    const id = forge.add(RecordType.chunk, Buffer.concat([base, frame]), { ...lies, ...more });
    forge.addSnapshot(treeOf(id, raw.length));
    forge.commit();
    assert.equal(await restore(forge.image()), outcome, what);
  }
});

test('pages over the same page, eight high, are refused for their size', async () => {
  const forge = new Forge();
  let id = forge.add(RecordType.chunk, Buffer.from('x'));
  let byteLength = 1;
  for (let height = 0; height < 6; height++) {
    const list = new EntryList();
    list.resize(PAGE_ENTRIES);
    for (let index = 0; index < PAGE_ENTRIES; index++) list.set(index, id, byteLength);
    id = forge.add(RecordType.page, list.toPage(height, 0, PAGE_ENTRIES));
    byteLength *= PAGE_ENTRIES;
  }
  forge.addSnapshot(treeOf(id, byteLength, 6));
  forge.commit();
  assert.equal(await restore(forge.image()), 'SNAP_TOO_LARGE');
});

test('a region table that claims more regions than it holds is refused', async () => {
  const forge = new Forge();
  const tree = treeOf(forge.add(RecordType.chunk, chunk), chunk.length);
  forge.addSnapshot(tree, { regions: { count: 2 ** 50, tree } });
  forge.commit();
  assert.equal(await restore(forge.image()), 'SNAP_CORRUPT');
});

test('a commit that lies about its span does not count', async () => {
  for (const lie of [
    { spanRecords: 2 ** 40 },
    { spanBytes: 8 },
    { spanOffset: 96 },
    { spanHash: Buffer.alloc(32) },
  ]) {
    const forge = new Forge();
    forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk), chunk.length));
    forge.commit(lie);
    assert.equal(await restore(forge.image()), 'absent', JSON.stringify(lie));
  }
});

test('a store whose numbers are used up can be read and says why it cannot be written', async () => {
  const forge = new Forge();
  forge.addSnapshot(treeOf(forge.add(RecordType.chunk, chunk, { sequence: 2 ** 53 - 1 }), chunk.length));
  forge.commit();
  assert.equal(await restore(forge.image()), 'restored');
  const io = new SimulatedDisk(1, forge.image());
  const store = await Store.open({
    io,
    directory: STORE,
    create: false,
    readOnly: false,
    compression: false,
    onWarning: () => {},
    simulated: true,
  });
  assert.throws(
    () => store.begin(),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
  await store.close();
});
