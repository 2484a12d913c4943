/** Random: the very generator that was published, fair in its upper bits, and saved exactly between any two calls. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Random, type RandomState, Snap } from '../../src/index.js';
import { ClassRegistry, Restoration, StateEncoder } from '../../src/state/index.js';
import { storePath } from './support.js';

const MASK = 2n ** 64n - 1n;

/** The four words as the two numbers of 64 bits of which the paper speaks. */
function halves(random: Random): [bigint, bigint] {
  const words = Random[Snap.encode](random).xoroshiro128plus.map((word) => BigInt.asUintN(32, BigInt(word)));
  const [a = 0n, b = 0n, c = 0n, d = 0n] = words;
  return [(a << 32n) | b, (c << 32n) | d];
}

const rotated = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK;

/** xoroshiro128+ 1.0 of Blackman and Vigna (2018), line by line. */
function reference([s0, s1]: [bigint, bigint]): { sum: bigint; next: [bigint, bigint] } {
  const mixed = s0 ^ s1;
  return {
    sum: (s0 + s1) & MASK,
    next: [rotated(s0, 24n) ^ mixed ^ ((mixed << 16n) & MASK), rotated(mixed, 37n)],
  };
}

function save(state: unknown): Uint8Array {
  return new StateEncoder(new ClassRegistry([Random])).encode(state).skeleton.slice();
}

/** What saving and restoring makes of it. */
function reborn(random: Random): Random {
  return new Restoration(save(random), new ClassRegistry([Random])).finish([]) as Random;
}

const seeds = fc.oneof(fc.maxSafeInteger(), fc.bigInt(0n, MASK));

test('the bits are those of xoroshiro128+ as published, from a seed spread by SplitMix64', () => {
  // The first two numbers of SplitMix64 from 0, as its authors give them.
  assert.deepEqual(halves(new Random(0)), [0xe220a8397b1dcdafn, 0x6e789e6aa1b965f4n]);
  const random = new Random(42);
  let state = halves(random);
  for (let count = 0; count < 1000; count++) {
    const first = reference(state);
    const second = reference(first.next);
    const word = ({ sum }: { sum: bigint }) => Number(sum & 0xffff_ffffn);
    const wanted = ((word(first) >>> 5) * 2 ** 26 + (word(second) >>> 6)) / 2 ** 53;
    assert.equal(random.uniform(), wanted);
    state = second.next;
    assert.deepEqual(halves(random), state);
  }
});

test('a jump is the one that was published: 2^64 words', () => {
  const random = new Random(7);
  let state = halves(random);
  let jumped: [bigint, bigint] = [0n, 0n];
  for (const constant of [0xdf900294d8f554a5n, 0x170865df4b3201fcn]) {
    for (let bit = 0n; bit < 64n; bit++) {
      if ((constant >> bit) & 1n) jumped = [jumped[0] ^ state[0], jumped[1] ^ state[1]];
      state = reference(state).next;
    }
  }
  assert.equal(random.jump(), random);
  assert.deepEqual(halves(random), jumped);
});

type Draw = (random: Random) => unknown;
const draws: fc.Arbitrary<Draw> = fc.constantFrom<Draw[]>(
  (random) => random.uniform(),
  (random) => random.uniform(-3, 8),
  (random) => random.integer(0, 6),
  (random) => random.integer(-(2 ** 50), 2 ** 50),
  (random) => random.normal(),
  (random) => random.normal(5, 0.1),
  (random) => random.fillUniform(new Float32Array(5)),
  (random) => random.fillInteger(new Uint8Array(5), 0, 256),
  (random) => random.fillNormal(new Float64Array(5)),
  (random) => random.shuffle([1, 2, 3, 4, 5]),
  (random) => random.split().uniform(),
  (random) => random.jump().clone().uniform(),
);

test('saved after any calls, it draws afterwards what the one that goes on draws', () => {
  const property = fc.property(seeds, fc.array(draws), fc.array(draws), (seed, before, after) => {
    const random = new Random(seed);
    for (const draw of before) draw(random);
    const restored = reborn(random);
    assert.notEqual(restored, random);
    for (const draw of after) assert.deepEqual(draw(restored), draw(random));
    assert.deepEqual(halves(restored), halves(random));
  });
  fc.assert(property, { numRuns: 200 });
});

test('a store keeps it without registration, shared where it is shared, beside a class of the same name', async (t) => {
  class Other {
    static readonly [Snap.className] = 'Random';
    seed = 1;
  }
  const random = new Random(1);
  const state = { random, also: [random], other: new Other(), bits: Random[Snap.encode](random) };
  const path = storePath(t);
  const named = await Snap.open(path, { classes: [Other, Random] });
  await named.close(); // to name it all the same is fine
  await using snap = await Snap.open(path, { classes: [Other] });
  await snap.save(state, { durable: true });
  random.uniform();
  const restored = await snap.restore<typeof state>();
  assert.equal(restored.random, restored.also[0]);
  assert.ok(restored.random instanceof Random && restored.other instanceof Other);
  assert.deepEqual(Random[Snap.encode](restored.random), restored.bits);
  const target = { ...state, also: [random] };
  await snap.restore('latest', { into: target });
  assert.deepEqual(Random[Snap.encode](target.random), restored.bits, 'replaced by the one that was saved');
});

test('its name in a store never changes', () => {
  assert.ok(Buffer.from(save(new Random(1))).includes('holdfast.Random'));
});

test('what is no state of it is refused, not taken for one', () => {
  for (const words of [undefined, [], [1, 2, 3], [0, 0, 0, 0], [1, 2, 3, 0.5], [1, 2, 3, 2 ** 31], 'abcd']) {
    assert.throws(() => Random[Snap.decode]({ xoroshiro128plus: words } as RandomState), TypeError);
  }
  assert.throws(() => Random[Snap.decode](undefined as unknown as RandomState), TypeError);
});

test('filling an array draws what single calls draw', () => {
  const property = fc.property(seeds, fc.nat(40), (seed, length) => {
    const fill = new Random(seed);
    const single = fill.clone();
    const by = (draw: () => number) => Float64Array.from({ length }, draw);
    assert.deepEqual(
      fill.fillUniform(new Float64Array(length), 2, 3),
      by(() => single.uniform(2, 3)),
    );
    assert.deepEqual(
      fill.fillNormal(new Float64Array(length), 1, 2),
      by(() => single.normal(1, 2)),
    );
    assert.deepEqual(
      fill.fillInteger(new Float64Array(length), -9, 9),
      by(() => single.integer(-9, 9)),
    );
    assert.deepEqual([...fill.fillInteger(Buffer.alloc(length), 0, 9)], [...by(() => single.integer(0, 9))]);
    assert.deepEqual(halves(fill), halves(single));
  });
  fc.assert(property, { numRuns: 50 });
});

/** Whether counts are as near to those expected as one in ten thousand fair generators is not. */
function assertFair(counts: Iterable<number>, expected: (index: number) => number): void {
  const all = [...counts];
  const chi = all.reduce((sum, count, index) => sum + (count - expected(index)) ** 2 / expected(index), 0);
  const freedom = all.length - 1;
  assert.ok(Math.abs(chi - freedom) < 4 * Math.sqrt(2 * freedom), `chi square ${chi} of ${freedom}`);
}

test('uniform numbers fill [0, 1) evenly, one after the other and two by two', () => {
  const random = new Random(3);
  const lines = new Uint32Array(100);
  const squares = new Uint32Array(400);
  for (let count = 0; count < 200_000; count++) {
    const [x, y] = [random.uniform(), random.uniform()];
    assert.ok(x >= 0 && x < 1 && Number.isInteger(x * 2 ** 53));
    lines[Math.floor(x * 100)]!++;
    squares[Math.floor(x * 20) * 20 + Math.floor(y * 20)]!++;
  }
  assertFair(lines, () => 2000);
  assertFair(squares, () => 500);
});

test('each whole number of a range is as likely as any other, and none beyond it comes', () => {
  for (const [low, high] of [
    [0, 2],
    [-5, 2],
    [1, 7],
    [0, 1000],
  ] as const) {
    const random = new Random(high);
    const counts = new Uint32Array(high - low);
    for (let count = 0; count < 200_000; count++) {
      const number = random.integer(low, high);
      assert.ok(Number.isInteger(number) && number >= low && number < high);
      counts[number - low]!++;
    }
    assertFair(counts, () => 200_000 / (high - low));
  }
});

test('ranges that do not divide the words are fair at their ends too', () => {
  // Two thirds of a word's range, and of 53 bits: folding either would make the first half twice as likely.
  for (const range of [Math.round((2 ** 32 * 2) / 3), Math.round((2 ** 53 * 2) / 3)]) {
    const random = new Random(5);
    const counts = new Uint32Array(4);
    for (let count = 0; count < 100_000; count++)
      counts[Math.floor((random.integer(0, range) / range) * 4)]!++;
    assertFair(counts, () => 25_000);
  }
});

test('neighbouring seeds have nothing in common', () => {
  const counts = new Uint32Array(50);
  for (let seed = 0; seed < 20_000; seed++) counts[Math.floor(new Random(seed).uniform() * 50)]!++;
  assertFair(counts, () => 400);
  assert.notDeepEqual(halves(new Random(-1)), halves(new Random(1)));
  assert.deepEqual(halves(new Random(5n)), halves(new Random(5)));
});

/** The share of the normal distribution below x: Abramowitz and Stegun 26.2.17, to 7.5e-8. */
function below(x: number): number {
  if (x < 0) return 1 - below(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const sum = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153].reduce(
    (total, factor) => (total + factor) * t,
    0,
  );
  return 1 - (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}

test('normal numbers are distributed normally, in the middle, between the layers and in the tail', () => {
  const random = new Random(11);
  const total = 400_000;
  const edges = Array.from({ length: 81 }, (_, index) => (index - 40) / 10);
  const counts = new Float64Array(edges.length + 1);
  for (let count = 0; count < total; count++) {
    const x = random.normal();
    counts[Math.min(edges.length, Math.max(0, Math.floor(x * 10 + 41)))]!++;
  }
  const shares = [...edges.map(below), 1].map(
    (share, index) => share - (index > 0 ? below(edges[index - 1]!) : 0),
  );
  assertFair(counts, (index) => total * shares[index]!);
});

test('mean, deviation and bounds are kept, by rounding too', () => {
  const random = new Random(2);
  assert.equal(random.normal(7, 0), 7);
  const wide = Array.from({ length: 10_000 }, () => random.normal(100, 5));
  const mean = wide.reduce((sum, x) => sum + x) / wide.length;
  const deviation = Math.sqrt(wide.reduce((sum, x) => sum + (x - mean) ** 2, 0) / wide.length);
  assert.ok(Math.abs(mean - 100) < 0.25 && Math.abs(deviation - 5) < 0.2, `${mean} ${deviation}`);
  const high = 1 + Number.EPSILON;
  for (let count = 0; count < 100; count++) assert.equal(random.uniform(1, high), 1);
  assert.ok(random.fillUniform(new Float32Array(100), 1, high).every((x) => x === 1));
});

test('a shuffle is a permutation, each as likely as any other', () => {
  const random = new Random(4);
  const counts = new Map<string, number>();
  for (let count = 0; count < 24_000; count++) {
    const order = random.shuffle(['a', 'b', 'c', 'd']).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 24);
  assertFair(counts.values(), () => 1000);
  assert.deepEqual(random.shuffle(Uint8Array.of(3, 1, 2)).toSorted(), Uint8Array.of(1, 2, 3));
});

test('streams that are split off differ from each other and from the rest, however deep', () => {
  const random = new Random(9);
  const child = random.split();
  const streams = [random, child, random.split(), child.split(), child.split().split()];
  assert.equal(new Set(streams.map((stream) => stream.uniform())).size, streams.length);
  assert.deepEqual(halves(new Random(9).split()), halves(new Random(9).split()));
});

test('what makes no sense is refused', () => {
  const random = new Random(1);
  const state = halves(random);
  for (const seed of [undefined, null, '1', {}]) assert.throws(() => new Random(seed as number), TypeError);
  for (const seed of [0.5, Number.NaN, 2 ** 53]) assert.throws(() => new Random(seed), RangeError);
  for (const [low, high] of [
    [1, 1],
    [2, 1],
    [0, Number.NaN],
    [-1e308, 1e308],
    [0, Infinity],
  ] as const) {
    assert.throws(() => random.uniform(low, high), RangeError);
    assert.throws(() => random.fillUniform(new Float64Array(1), low, high), RangeError);
  }
  for (const [low, high] of [
    [0, 0],
    [0, 1.5],
    [0, 2 ** 53],
    [-(2 ** 53) + 1, 2 ** 53 - 1],
  ] as const) {
    assert.throws(() => random.integer(low, high), RangeError);
  }
  for (const [mean, deviation] of [
    [Number.NaN, 1],
    [0, -1],
    [0, Infinity],
  ] as const) {
    assert.throws(() => random.normal(mean, deviation), RangeError);
    assert.throws(() => random.fillNormal(new Float64Array(1), mean, deviation), RangeError);
  }
  const bytes = Uint8Array.of(7);
  assert.throws(() => random.fillInteger(bytes, 0, 257), { name: 'RangeError', message: /Uint8Array/ });
  assert.deepEqual(bytes, Uint8Array.of(7));
  for (const wrong of [[1], new BigInt64Array(1), new DataView(new ArrayBuffer(8)), undefined]) {
    assert.throws(() => random.fillInteger(wrong as never, 0, 2), TypeError);
    assert.throws(() => random.fillUniform(wrong as never), TypeError);
    assert.throws(() => random.fillNormal(wrong as never), TypeError);
  }
  assert.deepEqual(halves(random), state, 'nothing was drawn');
});
