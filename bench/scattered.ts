/**
 * Small changes everywhere: what a save costs when one number changed in every hundredth 4 KiB page of a WebAssembly heap.
 *
 * The heap holds what compresses badly, so that a chunk written in full shows. Floors, as in `incremental`, are measured
 * beside each save; what is written is held against the pages that changed.
 */

import { join } from 'node:path';
import { formatBytes, KiB, MiB } from '../src/base/sizes.js';
import { Snap } from '../src/index.js';
import { REST_MS, type SaveCost, saveCost } from './support/costs.js';
import { folderBytes } from './support/disk.js';
import { besideCopying, type CopyAndCompare, copyAndCompare, WarmTarget } from './support/floors.js';
import { OTHERS_NOTE, OtherLoad } from './support/machine.js';
import { runBench, showMillis, showPercent, showRatio, sleep } from './support/program.js';
import { meanOf, medianOf, seededRandom } from './support/samples.js';

const SIZES = [64 * MiB, 256 * MiB];
const SAMPLES = 40;
const WARM_UPS = 3;
const PAGE_BYTES = 4 * KiB;
const EVERY = 100;
const WASM_PAGE_BYTES = 64 * KiB;

interface Sample extends SaveCost, CopyAndCompare {
  pages: number;
}

/** Node's types leave WebAssembly to those of browsers. */
interface Machine {
  Memory: new (limits: { initial: number }) => { buffer: ArrayBuffer };
}

class Heap {
  readonly state: { step: number; memory: object };
  readonly bytes: Buffer;
  readonly #numbers: Float64Array;
  readonly #random = seededRandom(1);

  constructor(byteLength: number) {
    const { WebAssembly: machine } = globalThis as unknown as { WebAssembly: Machine };
    const memory = new machine.Memory({ initial: byteLength / WASM_PAGE_BYTES });
    this.state = { step: 0, memory };
    this.bytes = Buffer.from(memory.buffer);
    this.#numbers = new Float64Array(memory.buffer);
    for (let at = 0; at < this.#numbers.length; at++) this.#numbers[at] = this.#random();
  }

  /** Changes one number in every hundredth page, which ones at random; returns how many pages that were. */
  change(): number {
    const numbers = PAGE_BYTES / 8;
    const offset = Math.floor(this.#random() * EVERY);
    let pages = 0;
    for (let page = offset; page < this.bytes.length / PAGE_BYTES; page += EVERY) {
      this.#numbers[page * numbers + Math.floor(this.#random() * numbers)] = this.#random();
      pages++;
    }
    this.state.step++;
    return pages;
  }
}

await runBench(
  'scattered',
  'one number changed in every hundredth page of a WebAssembly heap',
  async ({ folder, samples = SAMPLES, sizes = SIZES, report }) => {
    const rows = [];
    for (const bytes of sizes) {
      const store = join(folder, `store-${bytes}`);
      const heap = new Heap(bytes);
      const previous = Buffer.from(heap.bytes);
      const target = new WarmTarget(bytes);
      const snap = await Snap.open(store, { capture: 'copy' });
      await snap.prepare(heap.state);
      await (await snap.save(heap.state)).durable;
      await sleep(REST_MS);
      const fullBytes = folderBytes(store);
      const others = new OtherLoad();
      const taken: Sample[] = [];
      for (let sample = -WARM_UPS; sample < samples; sample++) {
        const pages = heap.change();
        const floor = copyAndCompare(heap.bytes, previous, target);
        await sleep(REST_MS);
        const cost = await saveCost(snap, store, heap.state);
        previous.set(heap.bytes);
        if (sample >= 0) taken.push({ pages, ...floor, ...cost });
      }
      const written = meanOf(taken, (sample) => sample.writtenBytes);
      const pages = medianOf(taken, (sample) => sample.pages);
      const ratio = written / (pages * PAGE_BYTES);
      rows.push({
        heap: formatBytes(bytes),
        'changed pages': pages,
        'changed chunks': medianOf(taken, (sample) => sample.changed.length),
        written,
        'written / changed pages': ratio,
        'first save': fullBytes,
        ...besideCopying(taken),
        'other processes': others.share(),
      });
      report.hold(10, {
        of: `${formatBytes(bytes)}: 1 number in every ${EVERY}th page`,
        floor: `changed pages ${formatBytes(pages * PAGE_BYTES)}`,
        figure: `written ${formatBytes(Math.round(written))}`,
        ratio: showRatio(ratio),
        limit: 'at most 3 x',
        met: ratio <= 3,
      });
      await snap.close();
    }
    report.section(
      'A save beside the pages that changed, and beside memcpy + ranged compare (medians; written: mean)',
      [
        { name: 'heap' },
        { name: 'changed pages' },
        { name: 'changed chunks' },
        { name: 'written', show: (value) => formatBytes(Math.round(value)) },
        { name: 'written / changed pages', show: showRatio },
        { name: 'first save', show: formatBytes },
        { name: 'memcpy + compare', show: showMillis },
        { name: 'durable', show: showMillis },
        { name: 'durable ratio', show: showRatio },
        { name: 'cpu floor', show: showMillis },
        { name: 'cpu', show: showMillis },
        { name: 'cpu ratio', show: showRatio },
        { name: 'other processes', show: showPercent },
      ],
      rows,
      'written: growth of the store folder, index included',
      OTHERS_NOTE,
    );
  },
);
