/** Messages between processes: what goes in comes out, however the stream is cut, and garbage is a typed error. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMessage, encodeMessage, FrameReader } from '../../src/format/message.js';
import { budget, replayable, seeds } from '../support/budget.js';
import { fuzz } from '../support/fuzz.js';
import { Random } from '../support/random.js';

const LIMIT = 64 * 1024;
const runs = { numRuns: budget(300) };

const strings = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('$', '__proto__', 'value', '\ud800', ''),
);
const leaves = fc.oneof(
  strings,
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.date({ noInvalidDate: true }),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaves,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(strings, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

test('every value comes back as it was', () => {
  fc.assert(
    fc.property(values, (value) => {
      const [back] = new FrameReader(LIMIT).push(encodeMessage(value, LIMIT));
      assert.deepStrictEqual(back, value);
    }),
    runs,
  );
});

// Apart: Node 20 does not take two of them for equal.
test('an invalid date stays one', () => {
  const [back] = new FrameReader(LIMIT).push(encodeMessage(new Date(Number.NaN), LIMIT));
  assert.ok(back instanceof Date && Number.isNaN(back.getTime()));
});

test('a key __proto__ is a key, and no prototype', () => {
  const sent = JSON.parse('{"meta": {"__proto__": {"admin": true}}}') as { meta: object };
  const [back] = new FrameReader(LIMIT).push(encodeMessage(sent, LIMIT)) as [{ meta: object }];
  assert.deepEqual(Object.keys(back.meta), ['__proto__']);
  assert.equal(Object.getPrototypeOf(back.meta), Object.prototype);
  assert.equal('admin' in back.meta, false);
});

test('however the stream is cut, the same messages come out of it', () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 5 }), fc.array(fc.nat(40)), (messages, cuts) => {
      const stream = Buffer.concat(messages.map((message) => encodeMessage(message, LIMIT)));
      const reader = new FrameReader(LIMIT);
      const back: unknown[] = [];
      let at = 0;
      for (const length of [...cuts, stream.length]) {
        back.push(...reader.push(stream.subarray(at, at + length)));
        at += length;
      }
      assert.deepStrictEqual(back, messages);
      assert.equal(reader.isInside, false);
    }),
    runs,
  );
});

test('a reader knows whether it is inside a message', () => {
  const frame = encodeMessage({ n: 1 }, LIMIT);
  const reader = new FrameReader(LIMIT);
  assert.equal(reader.isInside, false);
  for (let length = 1; length < frame.length; length++) {
    assert.deepEqual(reader.push(frame.subarray(length - 1, length)), []);
    assert.equal(reader.isInside, true);
  }
  assert.deepEqual(reader.push(frame.subarray(-1)), [{ n: 1 }]);
  assert.equal(reader.isInside, false);
});

test('a length beyond the limit, or none, is refused before anything is kept', () => {
  for (const length of [0, LIMIT + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const header = Buffer.alloc(4);
    header.writeUInt32LE(length);
    assert.throws(() => new FrameReader(LIMIT).push(header), { code: 'SNAP_CORRUPT' });
  }
  const http = Buffer.from('GET / HTTP/1.1\r\n\r\n');
  assert.throws(() => new FrameReader(LIMIT).push(http), { code: 'SNAP_CORRUPT' });
});

test('what no message holds is refused by the sender', () => {
  for (const value of [Buffer.alloc(1), new Map(), 1n, () => {}, Symbol('s'), new (class Thing {})()]) {
    assert.throws(() => encodeMessage({ value }, LIMIT), TypeError);
  }
  assert.throws(() => encodeMessage('x'.repeat(LIMIT), LIMIT), { code: 'SNAP_TOO_LARGE' });
});

test('nesting without end is refused by both', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 5000; level++) deep = [deep];
  assert.throws(() => encodeMessage(deep, LIMIT), TypeError);
  const text = '['.repeat(30_000) + ']'.repeat(30_000);
  assert.throws(() => decodeMessage(Buffer.from(text)), { code: 'SNAP_CORRUPT' });
});

test('garbage is a typed error', async (t) => {
  let accepted = 0;
  for (const seed of seeds(3)) {
    await replayable(seed, 'fuzzed messages', () => {
      const random = new Random(seed);
      const samples = fc.sample(values, { numRuns: 8, seed }).map((value) => encodeMessage(value, LIMIT));
      accepted += fuzz(random, samples, (bytes) => new FrameReader(LIMIT).push(bytes));
      accepted += fuzz(
        random,
        samples.map((frame) => frame.subarray(4)),
        (bytes) => decodeMessage(bytes),
      );
    });
  }
  t.diagnostic(`${accepted} were messages all the same`);
});
