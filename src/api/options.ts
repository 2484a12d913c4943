/** What callers may ask for, checked at the border so that the rooms inside need not. */

import { checkRun, checkTag } from '../base/names.js';
import { MiB } from '../base/sizes.js';
import { checkLevel } from '../compress/compressor.js';
import type { Program } from '../format/manifest.js';
import type { GcProgress } from '../store/gc.js';
import type { RegionSizesProgress } from '../store/region-sizes.js';
import { type Policy, parsePolicy, type RetentionPolicy } from '../store/retention-policy.js';
import type { OpenProgress } from '../store/store.js';
import type { VerifyProgress } from '../store/verify.js';
import type { GcRequest } from '../writer/gc-job.js';
import type { OnBusy } from '../writer/save-queue.js';
import type { Internals } from '../writer/thread.js';
import type { VerifyRequest } from '../writer/verify-job.js';
import { detectProgram } from './program.js';

/** Options of `Snap.open`. */
export interface OpenOptions {
  /** The lineage that saves extend and `latest` means. Default `'main'`. */
  run?: string | undefined;
  /** `false`: SNAP_NOT_FOUND where there is no store. Default `true`. */
  create?: boolean | undefined;
  /** Take no lock and write nothing; works beside a live owner. Default `false`. */
  readOnly?: boolean | undefined;
  /** What a save does while all slots are taken: two, and up to 32 for states below 1.3 MiB. Default `'wait'`. */
  onBusy?: OnBusy | undefined;
  /**
   * How large regions are captured: `'copy'` copies them whole; `'track'` lets the kernel tell which pages were written
   * and copies those, where it offers that and it pays; `'auto'` begins with copying, and tracks what was seen to change
   * in few places. What is saved is the same. Default `'auto'`.
   */
  capture?: CaptureChoice | undefined;
  /** Bytes that the slots may hold. Default: what the machine or container leaves. */
  memoryLimit?: number | undefined;
  /** Written into each snapshot. Default: from the nearest package.json. */
  program?: { name: string; version: string } | undefined;
  /** zstd level 1 (fast) to 19 (small), or `false`. Default level 1. The first Snap of a store in a process decides. */
  compression?: { level: number } | false | undefined;
  /** Which snapshots of this run to keep: the owner drops the others by itself, after saves. Default: all. */
  keep?: RetentionPolicy | undefined;
  /** Classes whose instances a state may hold. */
  classes?: Iterable<ClassLike> | undefined;
  /** Aborts the opening. */
  signal?: AbortSignal | undefined;
  /**
   * Told a few times a second while opening has to read the packs, because the index does not match them: `done` of
   * `total` bytes. Not told where another Snap of this process has the store open, or is opening it.
   */
  onProgress?: ((progress: OpenProgress) => void) | undefined;
  /** For the command: where another process owns the store, ask it for everything but saving. */
  [ASK_OWNER]?: boolean;
  /** For the tests of this library. */
  [INTERNALS]?: Internals;
}

export const ASK_OWNER: unique symbol = Symbol('holdfast.askOwner');

/** A symbol, so that nobody sets it by mistake. */
export const INTERNALS: unique symbol = Symbol.for('holdfast.internals') as never;

/** A class, as `classes` takes it: its constructor is never called. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of any shape are welcome
export type ClassLike = abstract new (...args: any[]) => object;

/** Options of `save`. */
export interface SaveOptions {
  /** A name that points at this snapshot from now on. */
  tag?: string | undefined;
  /** More of them. */
  tags?: readonly string[] | undefined;
  /** The loop's counter; a safe integer. */
  step?: number | undefined;
  /** Small JSON that `info` and `list` give back. */
  meta?: unknown;
  /** Instead of the one given to `open`. */
  onBusy?: OnBusy | undefined;
  /** Resolve only when the snapshot is durable. */
  durable?: boolean | undefined;
  /**
   * Regions that are not copied while the caller is held: all (`true`), or those at these paths, written as in error
   * messages (`solver.grids[0].u`). They must not be written to until `ticket.released`. Views of ArrayBuffers are
   * detached, and `ticket.released` gives the buffers back; SharedArrayBuffers stay where they are. What cannot be lent
   * is a TypeError. Default: nothing is lent.
   */
  lend?: boolean | readonly string[] | undefined;
  /** Gives up waiting; what was captured is written all the same. */
  signal?: AbortSignal | undefined;
}

/** Options of `verify`. */
export interface VerifyOptions {
  /** Read and hash the data too, not only what describes it. Default `false`. */
  readData?: boolean | undefined;
  /** With `readData`: only this share of the records, drawn at random; above 0, at most 1. Default 1. */
  sample?: number | undefined;
  /** End after so many seconds; the next run with the same `readData` and `sample` goes on from there. */
  maxSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told a few times a second how far it is: `done` of `total` bytes of the packs, then snapshots. */
  onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

/** Options of `regionSizes`. */
export interface RegionSizesOptions {
  signal?: AbortSignal | undefined;
  /** Told a few times a second how far it is: `done` of `total` snapshots. */
  onProgress?: ((progress: RegionSizesProgress) => void) | undefined;
}

/** Options of `gc`. */
export interface GcOptions {
  /** Only say what would be done. */
  dryRun?: boolean | undefined;
  /** Find out for each snapshot how many bytes only it holds; takes longer. */
  explain?: boolean | undefined;
  /** Allow a plan that keeps no snapshot at all. */
  force?: boolean | undefined;
  /** Only the snapshots of this run. Default: all. */
  run?: string | undefined;
  /** End after so many seconds; what is still there is found by the next one. */
  maxSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told a few times a second how far it is. */
  onProgress?: ((progress: GcProgress) => void) | undefined;
}

export type CaptureChoice = 'auto' | 'copy' | 'track';

export interface CheckedOpen {
  run: string;
  create: boolean;
  readOnly: boolean;
  onBusy: OnBusy;
  capture: CaptureChoice;
  memoryLimit: number | undefined;
  program: Program;
  compression: { level: number } | false;
  keep: Policy | undefined;
  internals: Internals;
}

export interface CheckedSave {
  tags: string[];
  step: number | undefined;
  meta: string;
  onBusy: OnBusy;
  lend: boolean | readonly string[];
}

const LARGEST_META_BYTES = MiB;
const BUSY_CHOICES: readonly string[] = ['wait', 'skip', 'coalesce'];
const CAPTURE_CHOICES: readonly string[] = ['auto', 'copy', 'track'];
const OPEN_NAMES: ReadonlySet<string> = new Set([
  'run',
  'create',
  'readOnly',
  'onBusy',
  'capture',
  'memoryLimit',
  'program',
  'compression',
  'keep',
  'classes',
  'signal',
  'onProgress',
]);
const REGION_SIZES_NAMES: ReadonlySet<string> = new Set(['signal', 'onProgress']);

const VERIFY_NAMES: ReadonlySet<string> = new Set([
  'readData',
  'sample',
  'maxSeconds',
  'signal',
  'onProgress',
]);
const GC_NAMES: ReadonlySet<string> = new Set([
  'dryRun',
  'explain',
  'force',
  'run',
  'maxSeconds',
  'signal',
  'onProgress',
]);
const SAVE_NAMES: ReadonlySet<string> = new Set([
  'tag',
  'tags',
  'step',
  'meta',
  'onBusy',
  'durable',
  'lend',
  'signal',
]);

export function checkOpenOptions(options: OpenOptions): CheckedOpen {
  checkNames(options, OPEN_NAMES, 'Snap.open');
  const { run = 'main', create = true, readOnly = false, memoryLimit, compression = { level: 1 } } = options;
  checkRun(run);
  if (memoryLimit !== undefined && !(Number.isSafeInteger(memoryLimit) && memoryLimit > 0)) {
    throw new RangeError(`memoryLimit is ${memoryLimit}; it takes a whole number of bytes`);
  }
  if (compression !== false) checkLevel(compression.level);
  if (options.onProgress !== undefined && typeof options.onProgress !== 'function') {
    throw new TypeError(`onProgress takes a function, not ${typeof options.onProgress}`);
  }
  return {
    run,
    create: checkBoolean(create, 'create'),
    readOnly: checkBoolean(readOnly, 'readOnly'),
    onBusy: checkOnBusy(options.onBusy ?? 'wait'),
    capture: checkCapture(options.capture ?? 'auto'),
    memoryLimit,
    program: checkProgram(options.program),
    compression,
    keep: options.keep === undefined ? undefined : parsePolicy(options.keep),
    internals: options[INTERNALS] ?? {},
  };
}

const NO_OPTIONS = { tags: [], step: undefined, meta: '', lend: false } as const;

export function checkSaveOptions(options: SaveOptions | undefined, onBusy: OnBusy): CheckedSave {
  if (options === undefined) return { ...NO_OPTIONS, tags: [], onBusy };
  checkNames(options, SAVE_NAMES, 'save');
  const { tag, tags = [], step } = options;
  const names = tag === undefined ? [...tags] : [tag, ...tags];
  for (const name of names) checkTag(name);
  if (step !== undefined && !Number.isSafeInteger(step)) {
    throw new RangeError(`step is ${String(step)}; it takes a safe integer`);
  }
  return {
    tags: names,
    step,
    meta: encodeMeta(options.meta),
    onBusy: checkOnBusy(options.onBusy ?? onBusy),
    lend: checkLend(options.lend ?? false),
  };
}

export function checkVerifyOptions(options: VerifyOptions): VerifyRequest {
  checkNames(options, VERIFY_NAMES, 'verify');
  const { readData = false, sample = 1, maxSeconds } = options;
  if (!(sample > 0 && sample <= 1)) {
    throw new RangeError(`sample is ${String(sample)}; it takes a share above 0, at most 1`);
  }
  checkSeconds(maxSeconds);
  return { share: checkBoolean(readData, 'readData') ? sample : 0, maxSeconds };
}

export function checkRegionSizes(options: RegionSizesOptions): RegionSizesOptions {
  checkNames(options, REGION_SIZES_NAMES, 'regionSizes');
  return options;
}

export function checkGc(policy: RetentionPolicy | undefined, options: GcOptions): GcRequest {
  checkNames(options, GC_NAMES, 'gc');
  const { dryRun = false, explain = false, force = false, run, maxSeconds } = options;
  if (run !== undefined) checkRun(run);
  checkSeconds(maxSeconds);
  return {
    policy: policy === undefined ? undefined : parsePolicy(policy),
    run,
    dryRun: checkBoolean(dryRun, 'dryRun'),
    explain: checkBoolean(explain, 'explain'),
    force: checkBoolean(force, 'force'),
    maxSeconds,
  };
}

export function checkSeconds(maxSeconds: number | undefined): void {
  if (maxSeconds !== undefined && !(maxSeconds > 0)) {
    throw new RangeError(`maxSeconds is ${String(maxSeconds)}; it takes a number of seconds above 0`);
  }
}

function encodeMeta(meta: unknown): string {
  if (meta === undefined) return '';
  const json = JSON.stringify(meta);
  if (json === undefined)
    throw new TypeError('meta takes what JSON can hold: objects, arrays, strings, numbers');
  if (Buffer.byteLength(json) > LARGEST_META_BYTES) {
    throw new RangeError('meta is larger than 1 MiB; what is large belongs in the state');
  }
  return json;
}

function checkProgram(program: OpenOptions['program']): Program {
  if (program === undefined) return detectProgram();
  const { name, version } = program;
  if (typeof name !== 'string' || typeof version !== 'string') {
    throw new TypeError('program takes { name, version }, both strings');
  }
  return { name, version, node: process.version };
}

function checkOnBusy(choice: string): OnBusy {
  if (BUSY_CHOICES.includes(choice)) return choice as OnBusy;
  throw new TypeError(`onBusy is ${JSON.stringify(choice)}; it takes "wait", "skip" or "coalesce"`);
}

function checkCapture(choice: string): CaptureChoice {
  if (CAPTURE_CHOICES.includes(choice)) return choice as CaptureChoice;
  throw new TypeError(`capture is ${JSON.stringify(choice)}; it takes "auto", "copy" or "track"`);
}

function checkLend(lend: boolean | readonly string[]): boolean | readonly string[] {
  if (typeof lend === 'boolean') return lend;
  if (Array.isArray(lend) && lend.every((path) => typeof path === 'string')) return [...lend];
  throw new TypeError('lend takes true, or the paths of regions, as in lend: ["solver.u"]');
}

export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${name} takes true or false, not ${typeof value}`);
}

/** A mistyped option must not be taken for an absent one. */
export function checkNames(options: object, known: ReadonlySet<string>, where: string): void {
  for (const name in options) {
    if (!known.has(name))
      throw new TypeError(`${where} has no option ${name}; there are: ${[...known].join(', ')}`);
  }
}
