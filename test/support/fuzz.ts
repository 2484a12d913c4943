/** Feeding decoders what no encoder wrote. */

import assert from 'node:assert/strict';
import { isSnapError } from '../../src/base/errors.js';
import { budget } from './budget.js';
import { flip } from './pack-bytes.js';
import type { Random } from './random.js';

/**
 * Gives a decoder damaged samples and random bytes. It may return something or throw a SnapError; anything else, and
 * taking long, is a bug. Returns how often it accepted what it was given.
 */
export function fuzz(random: Random, samples: readonly Buffer[], decode: (bytes: Buffer) => unknown): number {
  let accepted = 0;
  const feed = (bytes: Buffer, what: string): void => {
    const before = process.hrtime.bigint();
    try {
      decode(bytes);
      accepted++;
    } catch (error) {
      assert.ok(isSnapError(error), `${what} of ${bytes.toString('hex').slice(0, 400)}: ${error}`);
    }
    const tookMs = Number(process.hrtime.bigint() - before) / 1e6;
    assert.ok(tookMs < 1000, `${what} took ${tookMs} ms`);
  };
  for (const sample of samples) {
    for (let length = 0; length < sample.length; length += Math.ceil(sample.length / 300)) {
      feed(Buffer.from(sample.subarray(0, length)), `the first ${length} bytes`);
    }
    for (let times = 0; times < budget(400); times++) feed(damaged(sample, random), 'damage');
  }
  for (let times = 0; times < budget(300); times++) feed(random.bytes(random.below(300)), 'random bytes');
  return accepted;
}

/** Numbers that lengths and counts like to be wrong with. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

function damaged(sample: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(sample);
  for (let times = random.between(1, 3); times > 0 && bytes.length > 0; times--) {
    const at = random.below(bytes.length);
    switch (random.below(5)) {
      case 0:
        flip(bytes, at, random.below(8));
        break;
      case 1:
        bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        if (at + 4 <= bytes.length) bytes.writeUInt32LE(random.pick(EXTREMES), at);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(Math.min(bytes.length, at + random.below(9))),
        ]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(9)), bytes.subarray(at)]);
    }
  }
  return bytes;
}
