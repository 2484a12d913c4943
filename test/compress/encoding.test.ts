/** Raw bytes to stored bytes and back, whatever the compressor does. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSnapError } from '../../src/base/errors.js';
import {
  type Compressor,
  checkLevel,
  FASTEST_LEVEL,
  findCompressor,
  fromAddon,
  fromNode,
} from '../../src/compress/compressor.js';
import { Encoding } from '../../src/compress/encoding.js';
import { Filters, makeKernels } from '../../src/compress/filters.js';
import { MAX_FILTERED_BYTES, takesBase } from '../../src/format/bases.js';
import { type NumberFilter, numberFilter } from '../../src/format/number-filters.js';
import { Codec, Filter } from '../../src/format/record.js';
import { budget } from '../support/budget.js';
import { fuzz } from '../support/fuzz.js';
import { Random } from '../support/random.js';

const random = new Random(1);
const LEVELS = [FASTEST_LEVEL, 1, 9];
const available = LEVELS.flatMap((level) => [fromAddon(level), fromNode(level)]).filter(
  (compressor) => compressor !== undefined,
);

function roundTrip(encoding: Encoding, raw: Buffer, wanted: Filter = Filter.none, base?: Buffer): Codec {
  const { codec, filter, stored } = encoding.encode(raw, wanted, base);
  const target = Buffer.alloc(raw.length, 0xee);
  encoding.decode(codec, filter, Buffer.from(stored), target, takesBase(filter) ? base : undefined);
  assert.ok(target.equals(raw));
  assert.equal(filter, codec === Codec.raw ? Filter.none : wanted);
  if (codec !== Codec.raw) {
    assert.ok(stored.length < raw.length);
    assert.equal(stored.length, encoding.sizeOf(raw, wanted, base));
  }
  return codec;
}

const FOR_NUMBERS = Object.values(Filter).filter((filter) => numberFilter(filter));

/** Numbers that look like a smooth field, and a few bytes more. */
function smooth(length: number, phase = 0): Buffer {
  const numbers = Float32Array.from({ length: length >> 2 }, (_, at) => 20 + Math.sin(at / 50 + phase));
  return Buffer.concat([Buffer.from(numbers.buffer), random.bytes(length & 3)]);
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

test('what takes more than it may is stored as it is, and what does not is the same', () => {
  const encoding = new Encoding(findCompressor(1), true, findCompressor(FASTEST_LEVEL));
  const raw = smooth(4096);
  for (const filter of [Filter.none, Filter.shuffle4, Filter.difference4]) {
    const base = takesBase(filter) ? smooth(4096, 0.001) : undefined;
    const whole = Buffer.from(encoding.encode(raw, filter, base).stored);
    for (const atMost of [whole.length, whole.length + 1, whole.length - 1, 0, -1]) {
      const { codec, stored } = encoding.encode(raw, filter, base, atMost);
      assert.ok(stored.equals(codec === Codec.raw ? raw : whole));
      assert.equal(
        codec === Codec.raw,
        available.length === 0 || atMost < whole.length,
        `${filter} ${atMost}`,
      );
    }
  }
});

test('numbers come back as they were, with every filter', () => {
  const lengths = [64, 65, 127, 128, 1000, 4096, 4099];
  for (const make of [() => findCompressor(FASTEST_LEVEL), () => findCompressor(9)]) {
    const encoding = new Encoding(findCompressor(1), true, make());
    for (const filter of FOR_NUMBERS) {
      for (const length of lengths) {
        const base = takesBase(filter) ? smooth(length, 0.001) : undefined;
        const codec = roundTrip(encoding, smooth(length), filter, base);
        if (available.length > 0 && length > 1000) assert.equal(codec, Codec.zstd);
        const noise = takesBase(filter) ? random.bytes(length) : undefined;
        roundTrip(encoding, random.bytes(length), filter, noise);
      }
    }
  }
});

/** Text, and the same with words put in and taken out. */
const versions = (): [Buffer, Buffer] => {
  const words = Array.from({ length: 400 }, () => random.bytes(5).toString('hex'));
  const before = Buffer.from(words.join(' '));
  words.splice(100, 0, 'put', 'in');
  words.splice(300, 3);
  return [before, Buffer.from(words.join(' '))];
};

test('what stands in a dictionary takes next to nothing, wherever it stands', () => {
  for (const level of [1, 3, 19]) {
    const encoding = new Encoding(findCompressor(level), true);
    const [before, after] = versions();
    const codec = roundTrip(encoding, after, Filter.dictionary, before);
    if (codec === Codec.raw) continue;
    assert.ok(encoding.sizeOf(after, Filter.dictionary, before) < 100);
    assert.ok(encoding.sizeOf(after) > 1000);
  }
});

test('bytes come back whatever the dictionary is', () => {
  const encoding = new Encoding(findCompressor(1), true);
  fc.assert(
    fc.property(content, content, fc.boolean(), (raw, base, isLike) => {
      const like = isLike ? Buffer.concat([raw.subarray(raw.length >> 1), base]) : base;
      void roundTrip(encoding, raw, Filter.dictionary, like);
    }),
    { numRuns: budget(100) },
  );
});

test('what zstd would not take for a dictionary as it is, is none', () => {
  const encoding = new Encoding(findCompressor(1), true);
  const [before, after] = versions();
  const magic = Buffer.from(before);
  magic.writeUInt32LE(0xec30a437);
  const long = Buffer.concat([before, Buffer.alloc(MAX_FILTERED_BYTES)]);
  for (const base of [magic, before.subarray(0, 7)]) {
    assert.equal(encoding.encode(after, Filter.dictionary, base).filter, Filter.none);
  }
  const frame = Buffer.from(encoding.encode(after, Filter.dictionary, before).stored);
  for (const base of [undefined, magic, before.subarray(0, 7), long]) {
    assert.throws(
      () => encoding.decode(Codec.zstd, Filter.dictionary, frame, Buffer.alloc(after.length), base),
      (error) => isSnapError(error, 'SNAP_CORRUPT'),
    );
  }
  assert.throws(
    () => encoding.decode(Codec.raw, Filter.dictionary, frame, Buffer.alloc(after.length), before),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
  // It may be a sound one: then it says more than its bytes, and no other program would read it so.
  let asked = 0;
  const asking: Compressor = { ...lying, compress: () => ++asked && 0 };
  for (const base of [magic, before]) new Encoding(asking, true).encode(after, Filter.dictionary, base);
  assert.equal(asked, 1);
});

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

test('every compressor that knows dictionaries reads the frames of every other; one that does not says so', () => {
  const [before, after] = versions();
  for (const writer of available) {
    const frame = Buffer.alloc(after.length);
    const length = writer.compress(after, frame, before);
    if (length === 0) continue;
    assert.ok(length < 200, `${writer.name}: ${length} bytes`);
    for (const reader of available) {
      const knows = reader.compress(after, Buffer.alloc(after.length), before) > 0;
      const target = Buffer.alloc(after.length);
      const read = () => reader.decompress(frame.subarray(0, length), target, before);
      if (knows) read();
      else assert.throws(read, (error) => isSnapError(error, 'SNAP_UNSUPPORTED'));
      assert.ok(!knows || target.equals(after), `${writer.name} to ${reader.name}`);
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
  const [before, after] = versions();
  for (const compressor of [lying, failing]) {
    assert.equal(roundTrip(new Encoding(compressor, true), after, Filter.dictionary, before), Codec.raw);
  }
});

test('a filter that errs costs space, never data', () => {
  class Lying extends Filters {
    override filter(filter: NumberFilter, raw: Buffer, base: Buffer | undefined): Buffer {
      const planes = super.filter(filter, raw, base);
      planes[17] = (planes[17] as number) ^ 1;
      return planes;
    }
  }
  const encoding = new Encoding(findCompressor(1), true, findCompressor(1), new Lying(makeKernels()));
  for (const filter of FOR_NUMBERS) {
    const base = takesBase(filter) ? smooth(4096, 0.1) : undefined;
    const raw = smooth(4096);
    const { codec, filter: used, stored } = encoding.encode(raw, filter, base);
    assert.ok(codec === Codec.raw && used === Filter.none && stored.equals(raw));
  }
});

test('a filtered record that is too long, or has a base of another length, is refused', () => {
  const encoding = new Encoding(findCompressor(1), true);
  const corrupt = (error: unknown) => isSnapError(error, 'SNAP_CORRUPT');
  const long = Buffer.alloc(MAX_FILTERED_BYTES + 1);
  for (const filter of FOR_NUMBERS) {
    const base = takesBase(filter) ? long : undefined;
    assert.throws(() => encoding.decode(Codec.raw, filter, long, Buffer.alloc(long.length), base), corrupt);
    assert.equal(encoding.encode(long, filter, base).filter, Filter.none);
    if (!takesBase(filter)) continue;
    for (const wrong of [undefined, Buffer.alloc(0), Buffer.alloc(99), Buffer.alloc(101)]) {
      const stored = Buffer.alloc(100);
      assert.throws(() => encoding.decode(Codec.raw, filter, stored, Buffer.alloc(100), wrong), corrupt);
    }
  }
});

test('raw bytes of a wrong length are refused', () => {
  const encoding = new Encoding(findCompressor(1), true);
  assert.throws(
    () => encoding.decode(Codec.raw, Filter.none, Buffer.alloc(5), Buffer.alloc(6)),
    (error) => isSnapError(error, 'SNAP_CORRUPT'),
  );
});

test('a level is a whole number from 1 to 19', () => {
  for (const level of [1, 7, 19]) checkLevel(level);
  for (const level of [0, -1, 20, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => checkLevel(level), RangeError);
});
