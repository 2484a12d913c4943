/**
 * How fast a state comes back: into fresh memory beside a plain read of the same raw bytes, into a living state of which
 * everything differs, and into one of which 1 % does, beside a comparison of its bytes.
 *
 * Floors are measured in the same process, one beside each sample. Fresh memory is fresh for both: nothing of it was
 * ever touched, so both pay the system for its pages. Every chunk that a restore returns is verified.
 */

import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatBytes, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { millisOf } from './support/costs.js';
import { dropFromCache } from './support/disk.js';
import { changedChunks } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { type Report, runBench, showMillis, showPercent, showRate, showRatio } from './support/program.js';
import { median, medianOf, percentile } from './support/samples.js';
import { type BenchState, computeFor, DATA, SmoothField } from './support/states.js';

const SIZES = [80_000, 16 * MiB, 256 * MiB];
const KINDS = ['smooth', 'random'] as const;
type Kind = (typeof KINDS)[number];
/** Samples not counted: code is still being compiled. Fewer where each takes long. */
const WARM_UPS = { small: 200, large: 5, smallBytes: 16 * MiB };
const PROCESSES = 7;
/** Before each sample. */
const COMPUTING_MS = 2;
/** So long and longer, memory that was collected is given back in the background. */
const SWEEPING_MS = 25;

const fresh: Record<string, string | number>[] = [];
const first: Record<string, string | number>[] = [];
const everything: Record<string, string | number>[] = [];
const little: Record<string, string | number>[] = [];

/** One store with two snapshots of one state that differ everywhere, and the second one's bytes in a plain file. */
class TestBed {
  readonly flat: string;
  readonly #store: string;
  readonly #kind: Kind;
  readonly #bytes: number;
  readonly #snap: Snap;
  readonly #state: BenchState;
  readonly #ids: readonly string[];
  readonly #report: Report;
  /** Milliseconds of a restore into fresh memory. */
  #full = Number.NaN;

  static async make(folder: string, kind: Kind, bytes: number, report: Report): Promise<TestBed> {
    const store = join(folder, 'store');
    const snap = await Snap.open(store);
    const field = new SmoothField(bytes);
    const ids: string[] = [];
    for (let time = 0; time < 2; time++) {
      if (kind === 'random') randomFillSync(field.bytes);
      else field.changeAll();
      const ticket = await snap.save(field.state);
      ids.push((await ticket.durable).id);
    }
    const flat = join(folder, 'flat');
    fs.writeFileSync(flat, field.bytes, { flush: true });
    return new TestBed(store, flat, kind, bytes, snap, field.state, ids, report);
  }

  private constructor(
    store: string,
    flat: string,
    kind: Kind,
    bytes: number,
    snap: Snap,
    state: BenchState,
    ids: readonly string[],
    report: Report,
  ) {
    this.#store = store;
    this.flat = flat;
    this.#kind = kind;
    this.#bytes = bytes;
    this.#snap = snap;
    this.#state = state;
    this.#ids = ids;
    this.#report = report;
  }

  close(): Promise<void> {
    return this.#snap.close();
  }

  get #warmUps(): number {
    return this.#bytes <= WARM_UPS.smallBytes ? WARM_UPS.small : WARM_UPS.large;
  }

  async measureFresh(samples: number, dropped: boolean): Promise<void> {
    const others = new OtherLoad();
    const reads: number[] = [];
    const restores: number[] = [];
    const packs = fs.readdirSync(join(this.#store, 'packs')).map((name) => join(this.#store, 'packs', name));
    for (let sample = -this.#warmUps; sample < samples; sample++) {
      if (dropped) for (const path of [this.flat, ...packs]) dropFromCache(path);
      collectGarbage();
      computeFor(SWEEPING_MS);
      const read = millisOf(() => readFlat(this.flat, Buffer.from(new ArrayBuffer(this.#bytes))));
      collectGarbage();
      computeFor(SWEEPING_MS);
      const start = performance.now();
      await this.#snap.restore('latest');
      const restore = performance.now() - start;
      if (sample < 0) continue;
      reads.push(read);
      restores.push(restore);
    }
    const share = median(reads) / median(restores);
    if (!dropped) this.#full = median(restores);
    fresh.push({
      ...this.#row(samples, others),
      'page cache': dropped ? 'dropped' : 'warm',
      read: median(reads),
      restore: median(restores),
      'restore p99': percentile(restores, 0.99),
      rate: this.#bytes / median(restores),
      'share of read': share,
    });
    if (dropped) return;
    this.#report.hold(8, {
      of: `${formatBytes(this.#bytes)}, ${this.#kind}, fresh memory`,
      floor: `plain read ${showMillis(median(reads))}`,
      figure: showMillis(median(restores)),
      ratio: showRatio(share),
      limit: 'at least 0.7 x as fast',
      met: share >= 0.7,
    });
  }

  /** Once the store is closed: the fresh processes own it. */
  measureFirst(): void {
    const others = new OtherLoad();
    const program = fileURLToPath(new URL('./support/first-restore.js', import.meta.url));
    const taken = Array.from({ length: PROCESSES }, () => {
      const output = execFileSync(process.execPath, ['--expose-gc', program, this.#store, this.flat], {
        encoding: 'utf8',
      });
      return JSON.parse(output) as { read: number; open: number; resume: number };
    });
    const of = (key: 'read' | 'open' | 'resume') => medianOf(taken, (times) => times[key]);
    first.push({
      ...this.#row(PROCESSES, others),
      processes: PROCESSES,
      read: of('read'),
      open: of('open'),
      resume: of('resume'),
      'share of read': of('read') / of('resume'),
    });
  }

  async measureEverything(samples: number): Promise<void> {
    const others = new OtherLoad();
    const target = Buffer.from(this.#state.field.buffer);
    const reads: number[] = [];
    const restores: number[] = [];
    for (let sample = -this.#warmUps; sample < samples; sample++) {
      // The copy in the plain file is the second snapshot, so that each restore finds the other one.
      const read = millisOf(() => readFlat(this.flat, target));
      computeFor(COMPUTING_MS);
      const start = performance.now();
      await this.#snap.restore(this.#ids[0], { into: this.#state });
      const restore = performance.now() - start;
      if (sample < 0) continue;
      reads.push(read);
      restores.push(restore);
    }
    everything.push({
      ...this.#row(samples, others),
      'read into warm memory': median(reads),
      restore: median(restores),
      rate: this.#bytes / median(restores),
      'share of read': median(reads) / median(restores),
    });
    this.#report.hold(8, {
      of: `${formatBytes(this.#bytes)}, ${this.#kind}, warm memory`,
      floor: `plain read ${showMillis(median(reads))}`,
      figure: `${showMillis(median(restores))}, ${showRate(this.#bytes / median(restores))}`,
      ratio: showRatio(median(reads) / median(restores)),
      limit: 'at least 2.5 GB/s',
      met: this.#bytes / median(restores) >= 2.5e6,
    });
  }

  async measureLittle(samples: number): Promise<void> {
    // The last restore left the first snapshot: what is saved now continues it and is captured.
    await (await this.#snap.save(this.#state)).durable;
    await this.#littleOf(this.#snap, 'the last capture', samples);
    await using reader = await Snap.open(this.#store, { readOnly: true });
    await this.#littleOf(reader, 'ids', samples);
  }

  async #littleOf(snap: Snap, compared: string, samples: number): Promise<void> {
    const others = new OtherLoad();
    const live = Buffer.from(this.#state.field.buffer);
    const saved = Buffer.from(live);
    const compares: number[] = [];
    const restores: number[] = [];
    for (let sample = -this.#warmUps; sample < samples; sample++) {
      const length = Math.ceil(live.length / 100);
      const at = Math.floor(((live.length - length) * (sample + this.#warmUps)) / (samples + this.#warmUps));
      live.fill(sample, at, at + length);
      const compare = millisOf(() => changedChunks(live, saved));
      computeFor(COMPUTING_MS);
      const start = performance.now();
      await snap.restore('latest', { into: this.#state });
      const restore = performance.now() - start;
      if (sample < 0) continue;
      compares.push(compare);
      restores.push(restore);
    }
    if (!live.equals(saved)) throw new Error('what was restored is not what was saved');
    const share = this.#full / 100;
    const ratio = median(restores) / (median(compares) + share);
    little.push({
      ...this.#row(samples, others),
      'compared with': compared,
      compare: median(compares),
      '1 % of a full restore': share,
      restore: median(restores),
      'restore / floor': ratio,
    });
    this.#report.hold(9, {
      of: `${formatBytes(this.#bytes)}, ${this.#kind}, compared with ${compared}`,
      floor: `compare + 1 % of a restore ${showMillis(median(compares) + share)}`,
      figure: showMillis(median(restores)),
      ratio: showRatio(ratio),
      limit: '3 x',
      met: ratio <= 3,
    });
  }

  #row(samples: number, others: OtherLoad) {
    const state = formatBytes(this.#bytes);
    return { state, data: this.#kind, samples, 'other processes': others.share() };
  }
}

function readFlat(path: string, target: Buffer): void {
  const file = fs.openSync(path, 'r');
  for (let done = 0; done < target.length; )
    done += fs.readSync(file, target, done, target.length - done, done);
  fs.closeSync(file);
}

function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

await runBench('restore', 'how fast a state comes back', async (context) => {
  const { sizes, samples, report } = context;
  for (const bytes of sizes ?? SIZES) {
    for (const kind of KINDS) {
      const bed = await TestBed.make(join(context.folder, `${kind}-${bytes}`), kind, bytes, report);
      const count = samples ?? (bytes > 64 * MiB ? 24 : 100);
      await bed.measureFresh(count, false);
      if (dropFromCache(bed.flat)) await bed.measureFresh(Math.ceil(count / 4), true);
      await bed.measureEverything(count);
      await bed.measureLittle(count);
      await bed.close();
      bed.measureFirst();
    }
  }
  const state = [{ name: 'state' }, { name: 'data' }];
  const count = { name: 'samples' };
  const others = { name: 'other processes', show: showPercent };
  report.section(
    'Restore into fresh memory, every chunk verified, beside a plain read of the raw bytes into fresh memory (medians)',
    [
      ...state,
      { name: 'page cache' },
      count,
      { name: 'read', show: showMillis },
      { name: 'restore', show: showMillis },
      { name: 'restore p99', show: showMillis },
      { name: 'rate', show: showRate },
      { name: 'share of read', show: showRatio },
      others,
    ],
    fresh,
    `smooth: ${DATA}; random: nothing to compress, stored raw`,
    OTHERS_NOTE,
  );
  report.section(
    'The first thing a fresh process does with its store, beside its own plain read (medians, page cache warm)',
    [
      ...state,
      { name: 'processes' },
      { name: 'read', show: showMillis },
      { name: 'open', show: showMillis },
      { name: 'resume', show: showMillis },
      { name: 'share of read', show: showRatio },
      others,
    ],
    first,
  );
  report.section(
    'Restore into a living state of which every chunk differs (medians, page cache warm)',
    [
      ...state,
      count,
      { name: 'read into warm memory', show: showMillis },
      { name: 'restore', show: showMillis },
      { name: 'rate', show: showRate },
      { name: 'share of read', show: showRatio },
      others,
    ],
    everything,
  );
  report.section(
    'Restore into a living state of which 1 % differs (medians, page cache warm)',
    [
      ...state,
      { name: 'compared with' },
      count,
      { name: 'compare', show: showMillis },
      { name: '1 % of a full restore', show: showMillis },
      { name: 'restore', show: showMillis },
      { name: 'restore / floor', show: showRatio },
      others,
    ],
    little,
    '"compared with": the last capture, where it is what the Snap saved or restored last; else the ids of the chunks',
  );
});
