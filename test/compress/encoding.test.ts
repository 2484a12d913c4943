/** Raw bytes to stored bytes and back, whatever the compressor does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import {
  type Compressor,
  checkLevel,
  findCompressor,
  fromAddon,
  fromNode,
} from '../../src/compress/compressor.js';
import { Encoding } from '../../src/compress/encoding.js';
import { Codec } from '../../src/format/record.js';
import { budget } from '../support/budget.js';
import { fuzz } from '../support/fuzz.js';
import { Random } from '../support/random.js';

const random = new Random(1);
const available = [fromAddon(1), fromNode(1)].filter((compressor) => compressor !== undefined);

function roundTrip(encoding: Encoding, raw: Buffer): Codec {
  const { codec, stored } = encoding.encode(raw);
  const target = Buffer.alloc(raw.length, 0xee);
  encoding.decode(codec, Buffer.from(stored), target);
  assert.ok(target.equals(raw));
  if (codec !== Codec.raw) assert.ok(stored.length < raw.length);
  return codec;
}

const content = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }).map((value) => Buffer.from(value)),
  fc.tuple(fc.nat(5000), fc.nat(255)).map(([length, fill]) => Buffer.alloc(length, fill)),
  fc.tuple(fc.nat(3000), fc.nat()).map(([length, seed]) => new Random(seed).bytes(length)),
);

for (const level of [1, 3, 19]) {
  test(`bytes come back as they were, at level ${level}`, () => {
    const encoding = new Encoding(findCompressor(level), true);
    fc.assert(
      fc.property(content, (raw) => void roundTrip(encoding, raw)),
      { numRuns: budget(100) },
    );
  });
}

test('what does not compress, is tiny, or is not to be compressed is stored raw', () => {
  const encoding = new Encoding(findCompressor(1), true);
  assert.equal(roundTrip(encoding, random.bytes(4096)), Codec.raw);
  assert.equal(roundTrip(encoding, Buffer.alloc(63)), Codec.raw);
  assert.equal(roundTrip(encoding, Buffer.alloc(0)), Codec.raw);
  assert.equal(roundTrip(new Encoding(findCompressor(1), false), Buffer.alloc(4096)), Codec.raw);
  if (available.length > 0) assert.equal(roundTrip(encoding, Buffer.alloc(4096)), Codec.zstd);
});

test('every compressor reads the frames of every other', () => {
  const raw = Buffer.from('frames are frames '.repeat(100));
  for (const writer of available) {
    const frame = Buffer.alloc(raw.length);
    const length = writer.compress(raw, frame);
    for (const reader of available) {
      const target = Buffer.alloc(raw.length);
      reader.decompress(frame.subarray(0, length), target);
      assert.ok(target.equals(raw), `${writer.name} to ${reader.name}`);
    }
  }
});

test('a frame that fills more or less than it should is refused', () => {
  for (const compressor of available) {
    const frame = Buffer.alloc(1000);
    const length = compressor.compress(Buffer.alloc(5000, 7), frame);
    for (const size of [0, 1, 4999, 5001, 100_000]) {
      assert.throws(
        () => compressor.decompress(frame.subarray(0, length), Buffer.alloc(size)),
        (error) => isSnapError(error, 'SNAP_CORRUPT'),
      );
    }
  }
});

test('damaged frames give bytes of the right length or a typed error', () => {
  for (const compressor of available) {
    const raw = Buffer.from('some text to compress '.repeat(20));
    const frame = Buffer.alloc(raw.length);
    const length = compressor.compress(raw, frame);
    fuzz(random, [frame.subarray(0, length)], (bytes) =>
      compressor.decompress(bytes, Buffer.alloc(raw.length)),
    );
  }
});

const lying: Compressor = {
  name: 'zstd-napi',
  compress: (_, target) => {
    target.fill(1);
    return 10;
  },
  decompress: (_, target) => void target.fill(2),
};

test('a compressor that errs costs space, never data', () => {
  assert.equal(roundTrip(new Encoding(lying, true), Buffer.alloc(4096)), Codec.raw);
  const failing: Compressor = {
    ...lying,
    decompress: () => {
      throw new Error('not today');
    },
  };
  assert.equal(roundTrip(new Encoding(failing, true), Buffer.alloc(4096)), Codec.raw);
});

test('raw bytes of a wrong length are refused', () => {
  const encoding = new Encoding(findCompressor(1), true);
  assert.throws(
    () => encoding.decode(Codec.raw, Buffer.alloc(5), Buffer.alloc(6)),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
});

test('a level is a whole number from 1 to 19', () => {
  for (const level of [1, 7, 19]) checkLevel(level);
  for (const level of [0, -1, 20, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => checkLevel(level), RangeError);
});
