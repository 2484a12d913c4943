/** Snap: what a program calls. One run of one store, on the caller's thread. */

import { orAbort, throwIfAborted } from '../base/abort.js';
import { isSnapError, SnapError } from '../base/errors.js';
import type { SnapshotId } from '../base/ids.js';
import { checkTag } from '../base/names.js';
import { ClassRegistry, snapDecode, snapEncode, snapMigrate, snapName, snapVersion } from '../state/index.js';
import type { RegionSizes } from '../store/region-sizes.js';
import type { RepairOptions, RepairReport } from '../store/repair.js';
import type { RetentionPolicy } from '../store/retention-policy.js';
import type { Access } from '../writer/access.js';
import type { CopyReport } from '../writer/copy-job.js';
import type { GcReport } from '../writer/gc-job.js';
import { Owner, type OwnerOptions } from '../writer/owner.js';
import { FEW_BYTES, type SnapshotInfo } from '../writer/protocol.js';
import { checkRef } from '../writer/refs.js';
import type { Candidates, ListFilter, RegionInfo, SnapshotRef, StoreStats } from '../writer/requests.js';
import type { VerifyReport } from '../writer/verify-job.js';
import { isHeard, publishGc, publishWarning } from './channels.js';
import type { CopyOptions } from './copy.js';
import { checkDiff, completeDiff, type Diff, type DiffOptions } from './diff.js';
import type { LoopHost } from './loop/host.js';
import type { LoopResult } from './loop/loop.js';
import type { LoopOptions } from './loop/options.js';
import { type LoopIterable, startLoop } from './loop/run.js';
import {
  ASK_OWNER,
  type CheckedOpen,
  checkGc,
  checkOpenOptions,
  checkRegionSizes,
  checkVerifyOptions,
  type GcOptions,
  type OpenOptions,
  type RegionSizesOptions,
  type SaveOptions,
  type VerifyOptions,
} from './options.js';
import type { ProveOptions } from './prove/options.js';
import type { Proof } from './prove/prove.js';
import { Proving } from './prove/proving.js';
import { Random } from './random.js';
import { noneIntact, perhapsLost, type RestoreOptions, readState } from './reading.js';
import type { ReadingHost } from './region-reading.js';
import type { ReplayOptions } from './replay/options.js';
import type { Replay } from './replay/replay.js';
import { Saves } from './saves.js';
import type { SaveTicket } from './ticket.js';

/** How many snapshots `resume` tries before it gives up. */
const RESUME_CANDIDATES = 1000;

/** True once the path of a save was gone through for the compiler. */
let hasRehearsed = false;

/** Asks the owner for what the command needs and the public face does not show. */
export let requestOf: (snap: Snap, method: string, args: unknown[]) => Promise<unknown>;

export class Snap {
  static {
    requestOf = (snap, method, args) => snap.#request(method, args);
  }

  /** `static [Snap.encode](instance)`: what is saved of an instance, instead of its own fields. */
  static readonly encode: typeof snapEncode = snapEncode;
  /** `static [Snap.decode](data)`: makes an instance of what `encode` returned. */
  static readonly decode: typeof snapDecode = snapDecode;
  /** `static [Snap.version]`: a whole number; raise it when the fields change. */
  static readonly version: typeof snapVersion = snapVersion;
  /** `static [Snap.migrate](data, from)`: data of version `from` in today's form. */
  static readonly migrate: typeof snapMigrate = snapMigrate;
  /** `static [Snap.className]`: the name written to the store, where a minifier changes the class's own. */
  static readonly className: typeof snapName = snapName;

  /** The store's folder. */
  readonly directory: string;
  /** The lineage that saves extend and `latest` means. */
  readonly run: string;
  readonly #options: CheckedOpen;
  readonly #owner: Access;
  readonly #registry: ClassRegistry;
  readonly #saves: Saves;
  #isLooping = false;
  /** Where this process runs for a proof of this run. */
  readonly #proving: Proving | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Opens the store in a folder, making one where there is none.
   *
   * @throws SnapError SNAP_NOT_FOUND (not a store, or none and `create: false`), SNAP_LOCKED (another process
   * owns it; `pid`), SNAP_FORMAT (a newer format), SNAP_CORRUPT, SNAP_IO
   */
  static async open(directory: string, options: OpenOptions = {}): Promise<Snap> {
    if (typeof directory !== 'string' || directory === '') {
      throw new TypeError('Snap.open takes the path of a folder, as in Snap.open("./checkpoints")');
    }
    const checked = checkOpenOptions(options);
    const registry = new ClassRegistry(options.classes, [Random]);
    throwIfAborted(options.signal);
    const { create, readOnly, compression, internals } = checked;
    const proving = Proving.of(directory);
    const folder = proving?.directory ?? directory;
    const wanted = { directory: folder, create, readOnly, compression, internals, served: !proving };
    const acquiring = options[ASK_OWNER]
      ? ownOrAsk(wanted, checked.run, options)
      : Owner.acquire(wanted, options.onProgress);
    let snap: Snap | undefined;
    const attaching = acquiring.then((owner) => {
      snap = new Snap(folder, checked, owner, registry, proving);
      return snap;
    });
    try {
      return await orAbort(attaching, options.signal);
    } catch (error) {
      // An abort must not leave the store owned by nobody's Snap.
      attaching.then((late) => late.close()).catch(() => {});
      throw error;
    }
  }

  /**
   * Makes a damaged store one in which everything that is listed restores whole: rebuilds the index (and the
   * descriptor if it is gone), reads every byte, copies what is intact out of damaged packs, and renames those
   * to `*.damaged`. Snapshots that cannot be restored any more are forgotten and told. Deletes nothing, and takes the
   * store for itself while it works.
   *
   * @throws SnapError SNAP_LOCKED, SNAP_NOT_FOUND, SNAP_NO_SPACE, SNAP_IO; AbortError
   */
  static async repair(directory: string, options: RepairOptions = {}): Promise<RepairReport> {
    // Loaded when it is needed: the store belongs to the writer thread, and costs time to load.
    const { repairStore } = await import('../store/repair.js');
    return repairStore(directory, options);
  }

  /**
   * Copies snapshots to another store, which is made where there is none: only what is missing there, so that a second
   * copy writes nothing. They keep their ids, runs, parents, tags and times, and their order. The source may be in use;
   * the target is owned by the copy while it lasts. A snapshot that cannot be read is skipped and reported.
   *
   * @example
   * await Snap.copy('./checkpoints', '/mnt/backup/heat', { keep: { last: 10, daily: 30 } });
   *
   * @throws SnapError SNAP_NOT_FOUND, SNAP_LOCKED (somebody owns the target; `pid`), SNAP_NO_SPACE, SNAP_IO; AbortError.
   *   Whatever ends it, what was copied stays, and the next copy goes on from there
   */
  static async copy(from: string, to: string, options: CopyOptions = {}): Promise<CopyReport> {
    const { copyStore } = await import('./copy.js');
    return copyStore(from, to, options);
  }

  /**
   * Computes the intervals between snapshots of a run anew, with a reference of the steps, and compares where each ends:
   * in parallel, because each begins from its own snapshot. The store is only read, so this works beside a run.
   *
   * @example
   * const { intervals } = await Snap.replay('./checkpoints', { from: { step: 0 }, reference: './reference.mjs', run: 'heat' });
   * intervals.filter(({ same }) => !same); // those that disagree, with their first difference, or failed
   *
   * @throws SnapError SNAP_NOT_FOUND (also where `to` did not come of `from`), SNAP_AMBIGUOUS, SNAP_PROGRAM (a snapshot
   *   without a step); AbortError. What goes wrong with an interval is told in that interval
   */
  static async replay(directory: string, options: ReplayOptions): Promise<Replay> {
    const { replay } = await import('./replay/replay.js');
    return replay(directory, options);
  }

  private constructor(
    directory: string,
    options: CheckedOpen,
    owner: Access,
    registry: ClassRegistry,
    proving: Proving | undefined,
  ) {
    this.directory = directory;
    this.run = options.run;
    this.#options = options;
    this.#owner = owner;
    this.#registry = registry;
    this.#proving = proving?.isAbout(options.run) ? proving : undefined;
    proving?.opened(options.run);
    this.#saves = new Saves(directory, options, owner, registry, proving);
  }

  /**
   * Sizes and touches the slots for a state like this one, and has the code of saving compiled (the first time in a
   * process, about a tenth of a second), so that the first save costs what later ones do.
   */
  async prepare(state: unknown): Promise<void> {
    this.#checkSaves();
    await this.#saves.prepare(state, false);
    await this.#rehearse();
  }

  /** Once in a process, and not where somebody listens, who would hear of saves that are none. */
  async #rehearse(): Promise<void> {
    if (hasRehearsed || isHeard()) return;
    hasRehearsed = true;
    const [{ Stage }, { rehearse }] = await Promise.all([
      import('../writer/stage.js'),
      import('./rehearsal.js'),
    ]);
    const stage = new Stage();
    const options: CheckedOpen = {
      ...this.#options,
      capture: 'auto',
      memoryLimit: undefined,
      keep: undefined,
    };
    const snap = new Snap(this.directory, options, stage.owner, this.#registry, undefined);
    await rehearse(async (state, how) => {
      await snap.save(state, how);
      stage.answer();
    });
    stage.end();
  }

  /**
   * Captures the state and resolves: from then on it may be changed. Comparing, compressing and writing go on
   * in the background; `ticket.durable` tells when they are done.
   *
   * @example
   * await snap.save(state, { step: state.step, tag: 'best' });
   *
   * @example
   * const { released } = await snap.save(state, { lend: ['u'] }); // state.u is detached
   * state.u = new Float64Array((await released).get('u'));
   *
   * @throws SnapError SNAP_UNSUPPORTED (with the `path` of what cannot be saved), SNAP_TOO_LARGE, SNAP_CLOSED;
   * TypeError for what cannot be lent; or the failure of an earlier save that nobody has heard of, with this save's
   * `ticket` on it. What rejects a save that lent buffers carries its `ticket` too
   */
  save(state: unknown, options?: SaveOptions): Promise<SaveTicket> {
    try {
      this.#checkSaves();
      return this.#saves.save(state, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Brings a state back, every byte checked against its chunk id. The next save continues that snapshot.
   *
   * @param ref `'latest'` (of this run), a tag, an id or at least 4 digits of one, `{ step }`, `{ before: Date }`
   * (the newest that is of before then by its own clock: saves are ordered by themselves, and clocks jump)
   * @throws SnapError SNAP_NOT_FOUND, SNAP_AMBIGUOUS, SNAP_CORRUPT (naming snapshot and region), SNAP_MISMATCH
   * (`into` does not fit), SNAP_UNSUPPORTED (a class that is not registered)
   */
  async restore<T = unknown>(ref: SnapshotRef = 'latest', options: RestoreOptions = {}): Promise<T> {
    return (await this.#restore(ref, options)).state as T;
  }

  /**
   * The newest intact snapshot of this run, or `init()` where the run has none. A damaged one is passed over
   * with a warning.
   *
   * @throws SnapError SNAP_CORRUPT where snapshots of the run are damaged and none is intact, or where it has none and
   * the store is damaged: what may have been lost is not begun anew in silence
   */
  async resume<T>(init: () => T | Promise<T>, options: RestoreOptions = {}): Promise<T> {
    return (await this.#resume(init, options)).state as T;
  }

  /**
   * Runs a computation to its end, however often the program is restarted: resumes the run or initialises it, runs the
   * steps, saves by a cadence, and makes the last state durable. With `step` it resolves when the loop has ended; without,
   * it is an async iterable whose body is the step.
   *
   * @example
   * const { state } = await snap.loop({
   *   init: () => ({ u: new Float64Array(1000) }),
   *   step: ({ u }) => advance(u),
   *   steps: 1_000_000,
   *   save: { seconds: 60 },
   * });
   *
   * @throws what the step throws, as it is, once what was captured before is durable; what `save` and `resume` throw;
   *   TypeError or RangeError for options that make no sense
   */
  loop<S extends object>(
    options: LoopOptions<S> & { step: NonNullable<LoopOptions<S>['step']> },
  ): Promise<LoopResult<S>>;
  loop<S extends object>(options: LoopOptions<S> & { step?: undefined }): LoopIterable<S>;
  loop<S extends object>(options: LoopOptions<S>): Promise<LoopResult<S>> | LoopIterable<S> {
    return startLoop(this.#loopHost(), options);
  }

  async #restore(ref: SnapshotRef, options: RestoreOptions): Promise<{ state: unknown; from: SnapshotInfo }> {
    this.#checkOpen();
    checkRef(ref);
    throwIfAborted(options.signal);
    const { state, info } = await readState(this.#readingHost(), this.#registry, ref, options);
    this.#proving?.restored();
    if (!options.only && !this.#options.readOnly) {
      this.#owner.send({ type: 'lineage', client: this.#saves.client, snapshot: info.id as SnapshotId });
      if (info.logicalBytes <= FEW_BYTES) this.#saves.prepareLater(state);
      else this.#saves.prepareBehind(state);
    }
    return { state, from: info };
  }

  async #resume(
    init: () => unknown,
    options: RestoreOptions,
  ): Promise<{ state: unknown; from: SnapshotInfo | undefined }> {
    this.#checkOpen();
    if (typeof init !== 'function')
      throw new TypeError('resume takes a function that makes the initial state');
    try {
      return await this.#restore('latest', { ...options, run: this.run });
    } catch (error) {
      if (!isSnapError(error, 'SNAP_CORRUPT') && !isSnapError(error, 'SNAP_NOT_FOUND')) throw error;
      return this.#resumeFromAny(init, options);
    }
  }

  /** The newest snapshot is damaged, or there is none. */
  async #resumeFromAny(
    init: () => unknown,
    options: RestoreOptions,
  ): Promise<{ state: unknown; from: SnapshotInfo | undefined }> {
    const { ids, damage } = (await this.#request('candidates', [RESUME_CANDIDATES])) as Candidates;
    const errors: SnapError[] = [];
    for (const id of ids) {
      try {
        return await this.#restore(id, options);
      } catch (error) {
        if (!(error instanceof SnapError) || error.code !== 'SNAP_CORRUPT') throw error;
        errors.push(error);
        publishWarning({ kind: 'damage', directory: this.directory, message: error.message, snapshot: id });
      }
    }
    if (errors.length > 0) throw noneIntact(this.run, errors);
    if (damage[0]) throw perhapsLost(this.run, damage[0]);
    const state = await init();
    if (!this.#options.readOnly) this.#saves.prepareBehind(state);
    return { state, from: undefined };
  }

  /** Snapshots, newest first: of all runs, or of `filter.run`. */
  async *list(filter: ListFilter = {}): AsyncGenerator<SnapshotInfo, void, undefined> {
    let below: number | undefined;
    do {
      const page = (await this.#request('list', [filter, below])) as {
        infos: SnapshotInfo[];
        below?: number;
      };
      yield* page.infos;
      below = page.below;
    } while (below !== undefined);
  }

  /** One snapshot, with its regions. */
  async info(ref: SnapshotRef = 'latest'): Promise<SnapshotInfo & { regions: RegionInfo[] }> {
    checkRef(ref);
    return (await this.#request('info', [ref])) as SnapshotInfo & { regions: RegionInfo[] };
  }

  /** Makes a tag point at a snapshot; returns the snapshot's id. */
  async tag(name: string, ref: SnapshotRef): Promise<string> {
    this.#checkWritable();
    checkTag(name);
    checkRef(ref);
    return (await this.#request('tag', [name, ref])) as string;
  }

  /** Removes a tag; the snapshot stays. */
  async untag(name: string): Promise<void> {
    this.#checkWritable();
    await this.#request('untag', [name]);
  }

  /** All tags and the ids they point at. */
  async tags(): Promise<Map<string, string>> {
    return new Map(Object.entries((await this.#request('tags', [])) as Record<string, string>));
  }

  /** Drops a snapshot logically: it is found no more, until `unforget`. Returns its id. */
  async forget(ref: SnapshotRef): Promise<string> {
    this.#checkWritable();
    checkRef(ref);
    return (await this.#request('forget', [ref])) as string;
  }

  /** Undoes `forget`. */
  async unforget(id: string): Promise<string> {
    this.#checkWritable();
    checkRef(id);
    return (await this.#request('unforget', [id])) as string;
  }

  /** Sizes of the store, in bytes, and of each run in it. */
  async stats(): Promise<StoreStats> {
    return (await this.#request('stats', [])) as StoreStats;
  }

  /**
   * What each region takes on disk, by run, over all snapshots that are not forgotten: chunks that several hold count
   * for the one that held them first. Reads what describes the states, not their data, and goes on beside saves.
   *
   * @throws SnapError SNAP_CORRUPT where a page cannot be read; AbortError
   */
  async regionSizes(options: RegionSizesOptions = {}): Promise<RegionSizes[]> {
    const { signal } = checkRegionSizes(options);
    throwIfAborted(signal);
    this.#checkOpen();
    const progress = options.onProgress as ((progress: unknown) => void) | undefined;
    const sizes = await this.#owner.request(this.#saves.client, 'regionSizes', [], { progress, signal });
    throwIfAborted(signal);
    return sizes as RegionSizes[];
  }

  /**
   * Checks that everything the snapshots need is there; with `readData`, that every byte reads back. Goes on beside
   * saves, in slices. What a run with `maxSeconds` did not reach, the next one begins with.
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    const request = checkVerifyOptions(options);
    throwIfAborted(options.signal);
    this.#checkOpen();
    const progress = options.onProgress as ((progress: unknown) => void) | undefined;
    const { signal } = options;
    const report = await this.#owner.request(this.#saves.client, 'verify', [request], { progress, signal });
    throwIfAborted(signal);
    return report as VerifyReport;
  }

  /**
   * Gives back the space of snapshots that were forgotten, and of those that `policy` does not keep. These are gone for
   * good: `dryRun` says which. Goes on beside saves, in slices. Without a policy only what was forgotten goes.
   *
   * @throws SnapError SNAP_CORRUPT where a page cannot be read (nothing is dropped then), SNAP_NO_SPACE, SNAP_IO;
   *   TypeError or RangeError for a policy that is mistyped, or would keep nothing (unless `force`)
   */
  async gc(policy?: RetentionPolicy, options: GcOptions = {}): Promise<GcReport> {
    const request = checkGc(policy, options);
    const { signal } = options;
    throwIfAborted(signal);
    if (request.dryRun) this.#checkOpen();
    else this.#checkWritable();
    const progress = options.onProgress as ((progress: unknown) => void) | undefined;
    const report = (await this.#owner.request(this.#saves.client, 'gc', [request], {
      progress,
      signal,
    })) as GcReport;
    publishGc(() => ({ directory: this.directory, run: undefined, report }));
    throwIfAborted(signal);
    return report;
  }

  /**
   * What differs between two snapshots: regions by element, everything else by path. Reads only chunks that differ, and
   * goes on beside saves, in slices.
   *
   * @example
   * const { regions, values } = await snap.diff({ step: 100 }, 'latest');
   * regions[0]?.content?.largest; // { index: 31, difference: 0.25, a: 1, b: 1.25 }
   *
   * @throws SnapError SNAP_NOT_FOUND, SNAP_AMBIGUOUS, SNAP_CORRUPT (naming the snapshot that is damaged)
   */
  async diff(a: SnapshotRef, b: SnapshotRef, options: DiffOptions = {}): Promise<Diff> {
    const request = checkDiff(a, b, options, this.run);
    throwIfAborted(options.signal);
    const { signal } = options;
    const progress = options.onProgress as ((progress: unknown) => void) | undefined;
    this.#checkOpen();
    const report = await this.#owner.request(this.#saves.client, 'diff', [request], { progress, signal });
    throwIfAborted(signal);
    return completeDiff((method, args) => this.#request(method, args), report, options);
  }

  /**
   * Proves that a run can be resumed: begins the program again from a snapshot, in a process of its own, and compares what
   * it computes with the run that went on. What is not in the state, and should be, shows as the first difference:
   * variables of modules, `Math.random`, the time. The store is only read, so this works beside a run.
   *
   * In the process that runs, a scratch store stands in for this one; everything else the program does, it does.
   *
   * @example
   * const { same, divergence } = await snap.prove({ ref: { step: 100 }, program: 'node', args: ['heat.js'] });
   * divergence; // { step: 200, path: 'u', index: 512, a: '1.5', b: '1.25', ... }
   *
   * @throws SnapError SNAP_PROGRAM where the program did not get as far as to be compared, or cannot be; SNAP_NOT_FOUND,
   *   SNAP_AMBIGUOUS, SNAP_CORRUPT; AbortError. The program is ended then
   */
  async prove(options: ProveOptions): Promise<Proof> {
    this.#checkOpen();
    const { prove } = await import('./prove/prove.js');
    return prove(this, options);
  }

  /** Resolves when every save made so far is durable; throws a failure that nobody has heard of. */
  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#saves.flush();
  }

  /** Makes everything captured durable, then lets the store go. Calling it again is fine. */
  close(): Promise<void> {
    this.#closed ??= this.#saves.close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #readingHost(): ReadingHost {
    const owner = this.#owner;
    return {
      request: (method, args) => this.#request(method, args),
      get untaken() {
        return owner.untaken;
      },
      slots: this.#options.readOnly || !owner.canSave ? undefined : this.#saves.slots,
      released: (slot) => this.#saves.released(slot),
    };
  }

  #loopHost(): LoopHost {
    const snap = this;
    return {
      directory: this.directory,
      run: this.run,
      program: this.#options.program,
      plan: this.#proving,
      claim: () => {
        snap.#checkSaves();
        if (snap.#isLooping)
          throw new TypeError('this Snap runs a loop already; open another one for another run');
        snap.#isLooping = true;
      },
      release: () => {
        snap.#isLooping = false;
      },
      resume: async (init, into) => {
        if (!into) return snap.#resume(init, {});
        const made = await init();
        return snap.#resume(() => made, { into: made });
      },
      restore: (ref, options) => snap.#restore(ref, options),
      save: (state, options) => snap.save(state, options),
      list: (filter) => snap.list(filter),
      forgetAll: async (ids) => {
        await snap.#request('forgetAll', [ids]);
      },
      get checkpointAsked() {
        return snap.#saves.checkpointAsked;
      },
      turn: () => snap.#saves.turn(),
    };
  }

  #request(method: string, args: unknown[]): Promise<unknown> {
    this.#checkOpen();
    return this.#owner.request(this.#saves.client, method, args);
  }

  #checkOpen(): void {
    if (this.#closed) {
      const why = this.#isLooping
        ? 'this Snap was closed while its loop ran; await the loop before close'
        : 'this Snap is closed; open the store again';
      throw new SnapError('SNAP_CLOSED', why);
    }
    this.#saves.checkWhole();
  }

  #checkSaves(): void {
    this.#checkWritable();
    if (!this.#owner.canSave) throw new TypeError('only the process that owns the store saves to it');
  }

  #checkWritable(): void {
    this.#checkOpen();
    if (this.#options.readOnly)
      throw new TypeError('this Snap was opened with readOnly; open it without to write');
  }
}

/** Loaded when it is needed, which is by the command only. */
async function ownOrAsk(
  options: OwnerOptions,
  run: string,
  { signal, onProgress }: OpenOptions,
): Promise<Access> {
  const asking = await import('./own-or-ask.js');
  return asking.ownOrAsk({ options, run, signal, onProgress });
}
