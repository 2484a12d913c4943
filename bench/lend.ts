/**
 * What a save costs where buffers are lent: the stall, and the time until they are back, beside a memcpy of the same
 * bytes.
 *
 * Each sample takes a memcpy and a save one right after the other, in turns which comes first. The loop waits until the
 * buffers are back and the save is durable, so that none waits for a slot, and then computes for a while.
 */

import { join } from 'node:path';
import { formatBytes, GiB, MiB } from '../src/base/sizes.js';
import { type SaveTicket, Snap } from '../src/index.js';
import { WarmTarget } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRatio } from './support/program.js';
import { median, medianOf, percentile, sum } from './support/samples.js';
import { computeFor } from './support/states.js';

const SIZES = [80_000, 16 * MiB, 256 * MiB, GiB];
const MANY = { buffers: 1000, bytes: 80_000 };
const CHANGED_SHARE = 0.01;
/** Between samples; the index, which is written behind, is done by then. */
const COMPUTING_MS = 2;
/** Rounds until the compiler has seen what is measured; fewer where each takes long. */
const WARM_UP = { small: 300, large: 10, smallBytes: MiB };

/** What a save may hold the loop for, whatever the size: so much, and so much for each buffer. */
const LIMIT_MS = 0.05;
const LIMIT_MS_EACH = 0.002;

const KINDS = [
  { kind: 'ArrayBuffer', make: (bytes: number) => new ArrayBuffer(bytes) },
  { kind: 'SharedArrayBuffer', make: (bytes: number) => new SharedArrayBuffer(bytes) },
];

interface Sample {
  copyMs: number;
  stallMs: number;
  releasedMs: number;
  durableMs: number;
}

/** Numbers in buffers that come and go. */
class LentState {
  readonly state: { step: number; parts: Float64Array[] };

  constructor(buffers: readonly ArrayBufferLike[]) {
    const parts = buffers.map((buffer) => new Float64Array(buffer));
    for (const part of parts) {
      for (let index = 0; index < part.length; index++) part[index] = 300 + 40 * Math.sin(index / 301);
    }
    this.state = { step: 0, parts };
  }

  get byteLength(): number {
    return sum(this.state.parts.map((part) => part.byteLength));
  }

  change(): void {
    this.state.step++;
    for (const part of this.state.parts) {
      part.fill(this.state.step, 0, Math.ceil(CHANGED_SHARE * part.length));
    }
  }

  /** Milliseconds of one memcpy of all of it. */
  copyTo({ view }: WarmTarget): number {
    const bytes = this.state.parts.map(({ buffer }) => new Uint8Array(buffer));
    const start = performance.now();
    let at = 0;
    for (const part of bytes) {
      view.set(part, at);
      at += part.length;
    }
    return performance.now() - start;
  }

  async putBack({ released }: SaveTicket): Promise<void> {
    const back = [...(await released).values()];
    this.state.parts = back.map((buffer) => new Float64Array(buffer));
  }
}

async function measure(folder: string, lent: LentState, samples: number): Promise<Sample[]> {
  await using snap = await Snap.open(folder);
  await snap.prepare(lent.state);
  const target = new WarmTarget(lent.byteLength);
  const taken: Sample[] = [];
  const warmUp = lent.byteLength <= WARM_UP.smallBytes ? WARM_UP.small : WARM_UP.large;
  for (let round = -warmUp; round < samples; round++) {
    lent.change();
    let copyMs = round % 2 === 0 ? lent.copyTo(target) : 0;
    const start = performance.now();
    const ticket = await snap.save(lent.state, { lend: true });
    const stallMs = performance.now() - start;
    await ticket.released;
    const releasedMs = performance.now() - start;
    await lent.putBack(ticket);
    await ticket.durable;
    const durableMs = performance.now() - start;
    if (round % 2 !== 0) copyMs = lent.copyTo(target);
    computeFor(COMPUTING_MS);
    if (round >= 0) taken.push({ copyMs, stallMs, releasedMs, durableMs });
  }
  return taken;
}

function rowOf(report: Report, kind: string, buffers: number, bytes: number, taken: readonly Sample[]) {
  const memcpy = medianOf(taken, ({ copyMs }) => copyMs);
  const stalls = taken.map(({ stallMs }) => stallMs);
  const stall = median(stalls);
  const released = medianOf(taken, ({ releasedMs }) => releasedMs);
  const limit = LIMIT_MS + LIMIT_MS_EACH * buffers;
  const lent = buffers === 1 ? formatBytes(bytes) : `${buffers} x ${formatBytes(bytes)}`;
  report.hold(4, {
    of: `${lent}, ${kind}`,
    floor: `memcpy ${showMillis(memcpy)}`,
    figure: showMillis(stall),
    ratio: `1 / ${(memcpy / stall).toFixed(1)}`,
    limit: '50 us + 2 us each',
    met: stall <= limit,
  });
  return {
    lent,
    kind,
    samples: taken.length,
    memcpy,
    'stall p50': stall,
    'stall p99': percentile(stalls, 0.99),
    limit,
    'memcpy / stall': memcpy / stall,
    released,
    'released / memcpy': released / memcpy,
    durable: medianOf(taken, ({ durableMs }) => durableMs),
  };
}

await runBench('lend', 'saves that lend buffers', async ({ folder, samples, sizes, report }) => {
  const rows = [];
  for (const { kind, make } of KINDS) {
    const cases = (sizes ?? SIZES).map((bytes) => ({ buffers: 1, bytes }));
    for (const { buffers, bytes } of sizes ? cases : [...cases, MANY]) {
      const state = new LentState(Array.from({ length: buffers }, () => make(bytes)));
      const others = new OtherLoad();
      const count = samples ?? (bytes >= GiB ? 16 : 60);
      const taken = await measure(join(folder, `${kind}-${buffers}-${bytes}`), state, count);
      rows.push({ ...rowOf(report, kind, buffers, bytes, taken), 'other processes': others.share() });
    }
  }
  report.section(
    'Stall of `await snap.save(state, { lend: true })`, and the time until `released`, beside a memcpy of the same bytes',
    [
      { name: 'lent' },
      { name: 'kind' },
      { name: 'samples' },
      { name: 'memcpy', show: showMillis },
      { name: 'stall p50', show: showMillis },
      { name: 'stall p99', show: showMillis },
      { name: 'limit', show: showMillis },
      { name: 'memcpy / stall', show: showRatio },
      { name: 'released', show: showMillis },
      { name: 'released / memcpy', show: showRatio },
      { name: 'durable', show: showMillis },
      { name: 'other processes', show: showPercent },
    ],
    rows,
    `smooth float64 numbers, ${CHANGED_SHARE * 100} % changed before each save`,
    '"released", "durable": medians, from the call of save',
    OTHERS_NOTE,
  );
});
