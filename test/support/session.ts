/**
 * A process that runs a program against a store on a simulated disk, and a model that says what the store owes it.
 *
 * A failed action is undone as the writer does it: roll back, forget the trees, go on.
 */

import assert from 'node:assert/strict';
import { isSnapError } from '../../src/base/errors.js';
import type { SnapshotId } from '../../src/base/ids.js';
import { Gc } from '../../src/store/gc.js';
import type { KeyValues } from '../../src/store/key-values.js';
import { Store, type StoreWarning } from '../../src/store/store.js';
import { type Effect, Model } from './model.js';
import { type Action, edited, freshContent, type Shape, SMALL } from './program.js';
import { Random } from './random.js';
import {
  assertSameContent,
  type Lineage,
  loadLineage,
  NO_LINEAGE,
  putSnapshot,
  readSnapshot,
} from './saved.js';
import { type DiskImage, SimulatedDisk } from './simulated-disk.js';

/** Three folders that the engine has to make, and make durable. */
export const STORE = '/data/jobs/store';

export interface SessionOptions {
  seed: number;
  image?: DiskImage;
  model?: Model;
  shape?: Shape;
  chunkBytes?: number;
  packBytes?: number;
  stagingBytes?: number;
  compression?: { level: number } | false;
  indexValues?: () => KeyValues;
  /** Looks at every disk before it is used. */
  prepare?: (disk: SimulatedDisk) => void;
}

export class Session {
  readonly disk: SimulatedDisk;
  readonly model: Model;
  readonly warnings: StoreWarning[] = [];
  /** Errors of actions that failed. */
  readonly failures: unknown[] = [];
  /** Somebody else has files of this disk open, so that open files are nobody's fault. */
  isShared = false;
  /** What the commit under way would do. */
  inFlight: Effect | undefined;
  readonly #options: SessionOptions;
  readonly #random: Random;
  readonly #lineages = new Map<string, Lineage>();
  readonly #contents = new Map<string, ReadonlyMap<string, Buffer>>();
  #step = 0;
  #store: Store | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.disk = new SimulatedDisk(options.seed, options.image);
    this.model = options.model?.clone() ?? new Model();
    options.prepare?.(this.disk);
  }

  /** A session whose store is open and was checked against the model. */
  static async begin(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    await session.open();
    await session.settle();
    return session;
  }

  get store(): Store {
    return this.#store ?? assert.fail('the store is not open');
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  async open(): Promise<void> {
    const { packBytes = 6000, stagingBytes = 1500, compression = { level: 1 }, indexValues } = this.#options;
    this.disk.newProcess();
    this.#store = await Store.open({
      io: this.disk,
      directory: STORE,
      create: true,
      readOnly: false,
      compression,
      onWarning: (warning) => this.warnings.push(warning),
      packBytes,
      stagingBytes,
      simulated: true,
      ...(indexValues ? { indexValues: indexValues() } : {}),
    });
  }

  /** Opens the store if it is not open; says whether it is then. A failure has to be typed and leave nothing open. */
  async tryOpen(): Promise<boolean> {
    if (this.#store) return true;
    try {
      await this.open();
      return true;
    } catch (error) {
      if (!isSnapError(error)) throw error;
      this.obeyed();
      this.failures.push(error);
      this.#checkFiles('a store that could not be opened');
      return false;
    }
  }

  async settle(): Promise<void> {
    await this.model.settle(this.store);
    this.#lineages.clear();
  }

  async close(): Promise<void> {
    const store = this.#store;
    this.#store = undefined;
    this.#lineages.clear();
    try {
      await store?.close();
    } finally {
      this.obeyed();
      this.#checkFiles('a closed store');
    }
  }

  #checkFiles(behind: string): void {
    if (!this.isShared) assert.equal(this.disk.openFiles, 0, `files stay open behind ${behind}`);
  }

  async run(actions: readonly Action[]): Promise<void> {
    for (const action of actions) await this.perform(action);
  }

  /** Performs an action; a typed failure is undone and remembered, any other is the test's. */
  async perform(action: Action): Promise<boolean> {
    try {
      await this.#perform(action);
      this.obeyed();
      return true;
    } catch (error) {
      this.obeyed();
      if (!isSnapError(error)) throw error;
      this.failures.push(error);
      if (this.inFlight) this.model.doubtful.push(this.inFlight);
      this.inFlight = undefined;
      this.#lineages.clear();
      await this.#store?.rollback();
      this.obeyed();
      return false;
    }
  }

  /** Fails where the disk saw one of its rules broken. */
  obeyed(): void {
    const [violation] = this.disk.violations;
    if (violation) throw violation;
  }

  async #perform(action: Action): Promise<void> {
    switch (action.do) {
      case 'save':
        return this.#save(action);
      case 'abandon':
        return this.#abandon(action.run, action.edit);
      case 'tag':
      case 'untag': {
        const id = action.do === 'tag' ? this.#pick(action.pick) : undefined;
        if (action.do === 'tag' && !id) return;
        const effect = { tags: new Map([[action.name, id]]) };
        return this.#commit(effect, () => this.store.putTag(action.name, id));
      }
      case 'forget':
      case 'unforget': {
        const id = this.#pick(action.pick);
        if (!id) return;
        const flag = action.do === 'forget';
        return this.#commit({ forgotten: new Map([[id, flag]]) }, () => this.store.putForget(id, flag));
      }
      case 'restore':
        return this.#restore(action.pick);
      case 'beside':
        return this.#readBeside();
      case 'evacuate':
        return this.#evacuate(action.pick);
      case 'gc':
        return this.#gc(action.last);
      case 'reopen':
        await this.close();
        await this.open();
        return this.settle();
    }
  }

  async #save({ run, edit, tag, restoring }: Extract<Action, { do: 'save' }>): Promise<void> {
    const before = this.#contents.get(run) ?? freshContent(this.#options.shape ?? SMALL, new Random(edit));
    const content = edited(before, edit);
    this.#contents.set(run, content);
    const id = this.#random.bytes(16).toString('hex') as SnapshotId;
    const effect: Effect = { saved: { id, run, content }, ...(tag ? { tags: new Map([[tag, id]]) } : {}) };
    let lineage = NO_LINEAGE;
    const last = this.#lineages.get(run);
    this.#lineages.delete(run);
    await this.#commit(effect, async () => {
      const base = last ?? (await this.#newestOf(run));
      lineage = await putSnapshot(this.store, { id, run, content }, base, this.#chunkBytes, this.#step++);
      if (tag) this.store.putTag(tag, id);
      if (restoring !== undefined) this.#restore(restoring);
      if (base.id && this.#random.chance(0.3)) this.store.putTiming(base.id, this.#step);
    });
    this.#lineages.set(run, lineage);
  }

  /** What was put may still be on its way to the disk when it is rolled back. */
  async #abandon(run: string, edit: number): Promise<void> {
    this.#lineages.clear();
    const content = freshContent(this.#options.shape ?? SMALL, new Random(edit));
    const id = this.#random.bytes(16).toString('hex') as SnapshotId;
    this.store.begin();
    await putSnapshot(this.store, { id, run, content }, NO_LINEAGE, this.#chunkBytes, this.#step);
    await this.store.rollback();
  }

  async #evacuate(fraction: number): Promise<void> {
    const packs = Object.keys(this.store.packSizes()).map(Number);
    const pack = packs[Math.floor(fraction * packs.length)];
    if (pack === undefined) return;
    this.#lineages.clear();
    const evacuation = this.store.removal.evacuation();
    this.store.removal.leave(pack);
    for await (const _ of evacuation.content(pack, this.store.ends().get(pack) ?? 0));
    await this.store.removal.retire([pack], 'setAside', evacuation);
    assert.ok(!(pack in this.store.packSizes()));
    await this.model.clone().settle(this.store);
  }

  async #gc(last: number | undefined): Promise<void> {
    const inUse = [...this.#lineages.values()].flatMap(({ id }) => id ?? []);
    const options = { run: undefined, explain: false, force: true, now: 0, pinned: () => new Set(inUse) };
    const policy = last === undefined ? undefined : { last };
    const planned = new Gc(this.store, { ...options, policy, dryRun: true });
    for await (const _ of planned.run());
    const going = planned.findings.snapshots.filter(({ keep }) => !keep).map(({ id }) => id as SnapshotId);
    this.inFlight = { collected: new Set(going) };
    const gc = new Gc(this.store, { ...options, policy, dryRun: false });
    for await (const _ of gc.run());
    assert.deepEqual(gc.findings.snapshots, planned.findings.snapshots);
    if (going.length > 0) this.disk.acknowledged(STORE, 'a collection');
    this.model.acknowledge(this.inFlight);
    this.inFlight = undefined;
    await this.model.clone().settle(this.store);
  }

  async #newestOf(run: string): Promise<Lineage> {
    for await (const summary of this.store.summaries(run)) {
      try {
        return loadLineage(this.store, summary);
      } catch (error) {
        // As the writer has it: a parent that cannot be read is no reason not to save.
        if (!isSnapError(error)) throw error;
        return { ...NO_LINEAGE, id: summary.id };
      }
    }
    return NO_LINEAGE;
  }

  get #chunkBytes(): number {
    return this.#options.chunkBytes ?? 64;
  }

  async #commit(effect: Effect, put: () => Promise<void> | void): Promise<void> {
    this.inFlight = effect;
    this.store.begin();
    await put();
    await this.store.commit();
    this.disk.acknowledged(STORE, effect.saved ? `snapshot ${effect.saved.id}` : 'a note');
    this.model.acknowledge(effect);
    this.inFlight = undefined;
  }

  #pick(fraction: number): SnapshotId | undefined {
    const ids = [...this.model.snapshots.keys()];
    return ids[Math.floor(fraction * ids.length)];
  }

  /** A reader sees everything that was acknowledged, and takes nothing of what the owner does. */
  async #readBeside(): Promise<void> {
    const files = this.disk.openFiles;
    const reader = await Store.open({
      io: this.disk,
      directory: STORE,
      create: false,
      readOnly: true,
      compression: false,
      onWarning: (warning) => this.warnings.push(warning),
      simulated: true,
    });
    try {
      await this.model.clone().settle(reader);
    } finally {
      await reader.close();
    }
    assert.equal(this.disk.openFiles, files, 'a reader leaves files open');
  }

  #restore(fraction: number): void {
    const id = this.#pick(fraction);
    const summary = id && this.store.byId(id);
    const saved = id && this.model.snapshots.get(id);
    if (!summary || !saved) return;
    assertSameContent(readSnapshot(this.store, summary), saved.content, `snapshot ${id}`);
  }
}
