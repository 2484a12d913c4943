/** Arbitrary values of everything that is encoded. */

import fc from 'fast-check';
import { asChunkId, type SnapshotId } from '../../src/base/ids.js';
import type { Commit } from '../../src/format/commit.js';
import type { Descriptor } from '../../src/format/descriptor.js';
import { REGION_KINDS } from '../../src/format/kinds.js';
import type { Manifest, RegionEntry } from '../../src/format/manifest.js';
import type { ForgetNote, TagNote, TimingNote } from '../../src/format/notes.js';
import type { FooterEntry, PackHeader } from '../../src/format/pack.js';
import { Codec, Filter, MAX_RECORD_BYTES, type RecordHeader, RecordType } from '../../src/format/record.js';
import type { Tree } from '../../src/format/tree.js';

/** A plain object, as decoders return them. */
export function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

export const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Buffer.from(value));
export const chunkId = bytes(32).map(asChunkId);
export const snapshotId = bytes(16).map((value) => value.toString('hex') as SnapshotId);
export const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const u32 = fc.nat(0xffff_ffff);
const time = fc.double({ noNaN: true, noDefaultInfinity: true });
/** Text that UTF-8 can say: no lone surrogates. */
export const text = fc.string({ unit: 'binary', maxLength: 30 });

export const commit: fc.Arbitrary<Commit> = record({
  writer: bytes(16),
  number: count,
  previous: chunkId,
  spanOffset: count,
  spanBytes: count,
  spanRecords: count,
  spanHash: bytes(32),
  time,
});

export const packHeader: fc.Arbitrary<PackHeader> = record({
  store: bytes(16),
  writer: bytes(16),
  time,
  previousPack: u32,
  previousPackEnd: count,
  lastCommitNumber: count,
  lastCommit: chunkId,
});

export const recordHeader: fc.Arbitrary<RecordHeader> = record({
  type: fc.constantFrom(...Object.values(RecordType)),
  codec: fc.constantFrom(...Object.values(Codec)),
  filter: fc.constantFrom(...Object.values(Filter)),
  flags: fc.nat(255),
  rawLength: fc.nat(MAX_RECORD_BYTES),
  storedLength: fc.nat(MAX_RECORD_BYTES),
  sequence: count,
  writer: bytes(8),
  id: chunkId,
  check: bytes(16),
  offset: count,
  pack: u32,
});

export const tree: fc.Arbitrary<Tree> = record({
  chunking: fc.constantFrom(0 as const, 1 as const),
  chunkBytes: count,
  height: fc.nat(8),
  entries: fc.array(record({ id: chunkId, byteLength: fc.integer({ min: 1, max: 2 ** 50 }) }), {
    maxLength: 4,
  }),
}).map((value) => ({
  ...value,
  byteLength: value.entries.reduce((sum, entry) => sum + entry.byteLength, 0),
}));

export const regions: fc.Arbitrary<RegionEntry[]> = fc.array(
  record({ path: text, kind: fc.constantFrom(...REGION_KINDS), tree }),
  { maxLength: 5 },
);

export const manifest: fc.Arbitrary<Manifest> = record({
  id: snapshotId,
  run: text,
  parent: fc.option(snapshotId, { nil: undefined }),
  sequence: count,
  step: fc.option(fc.maxSafeInteger(), { nil: undefined }).map((step) => (step === 0 ? 0 : step)),
  createdAt: time,
  stallMs: time,
  logicalBytes: count,
  changedBytes: count,
  storedBytes: count,
  program: record({ name: text, version: text, node: text }),
  meta: text,
  skeleton: tree,
  regions: fc.oneof(record({ inline: regions }), record({ count, tree })),
});

export const tagNote: fc.Arbitrary<TagNote> = record({
  name: text,
  snapshot: fc.option(snapshotId, { nil: undefined }),
});
export const forgetNote: fc.Arbitrary<ForgetNote> = record({
  snapshot: snapshotId,
  forgotten: fc.boolean(),
});
export const timingNote: fc.Arbitrary<TimingNote> = record({ snapshot: snapshotId, durableMs: time });

export const footerEntry: fc.Arbitrary<FooterEntry> = record({
  id: chunkId,
  location: record({
    pack: fc.constant(7),
    offset: count,
    storedLength: fc.nat(MAX_RECORD_BYTES),
    rawLength: fc.nat(MAX_RECORD_BYTES),
    type: fc.constantFrom(...Object.values(RecordType)),
    codec: fc.constantFrom(...Object.values(Codec)),
    filter: fc.constantFrom(...Object.values(Filter)),
    flags: fc.nat(255),
  }),
});

export const descriptor: fc.Arbitrary<Descriptor> = record({
  uuid: bytes(16).map((value) => value.toString('hex')),
  version: fc.constant(1),
  createdAt: time.map((value) => (Object.is(value, -0) ? 0 : value)),
  ids: fc.constantFrom('plain' as const, 'keyed' as const),
  features: record({ read: fc.array(text), write: fc.array(text), gc: fc.array(text) }),
});
