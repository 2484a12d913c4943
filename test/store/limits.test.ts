/** Sizes at which things break that are right in small: records by the hundred thousand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asChunkId } from '../../src/base/ids.js';
import { Codec, encodeHeader, Filter, HEADER_BYTES, RecordType } from '../../src/format/record.js';
import { contentOf, openOn, readFrom, saveTo } from '../support/direct.js';
import { packPath } from '../support/pack-bytes.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

/** Headers of so many empty chunks, as they would follow in pack 1 from `offset` on. */
function emptyChunks(count: number, offset: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(count * HEADER_BYTES);
  const id = Buffer.alloc(32);
  const common = { type: RecordType.chunk, codec: Codec.raw, filter: Filter.none, flags: 0 };
  const empty = { rawLength: 0, storedLength: 0, writer: Buffer.alloc(8), check: Buffer.alloc(16), pack: 1 };
  for (let index = 0; index < count; index++) {
    const at = index * HEADER_BYTES;
    id.writeUInt32LE(index);
    const place = { sequence: sequence + index, offset: offset + at };
    encodeHeader({ ...common, ...empty, ...place, id: asChunkId(id) }, bytes, at);
  }
  return bytes;
}

/** Recovery handed all the records of a torn save to one call, which overflowed the stack: the store did not open. */
test('a save of 200,000 records that was torn is cut off like a small one', async () => {
  const disk = new SimulatedDisk(1);
  const { store } = await openOn(disk);
  const content = contentOf(Buffer.from('whole'));
  const { id } = await saveTo(store, content);
  const pack = disk.contents(packPath(1));
  const torn = Buffer.concat([pack, emptyChunks(200_000, pack.length, 1000)]);
  for (const readOnly of [true, false]) {
    const next = new SimulatedDisk(1, disk.image());
    next.plant(packPath(1), torn);
    const { store: opened, warnings } = await openOn(next, { readOnly });
    assert.deepEqual(warnings, []);
    assert.deepEqual(readFrom(opened, id), content);
    await opened.close();
    assert.equal(next.contents(packPath(1)).length, readOnly ? torn.length : pack.length);
  }
  await store.close();
});
