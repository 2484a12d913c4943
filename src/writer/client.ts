/**
 * One Snap as the writer thread sees it: its slots, and what its last save left to build the next on.
 *
 * Invariant: `base` and `trees` describe the same save, and every save since the last failure succeeded. A
 * failure throws both away; the next save then hashes everything and builds on the last durable snapshot.
 */

import type { SnapshotId } from '../base/ids.js';
import type { RegionKind } from '../format/kinds.js';
import type { Program, RegionEntry } from '../format/manifest.js';
import type { FilterChoice } from '../store/filter-choice.js';
import type { RegionTree } from '../store/region-tree.js';
import { CapturedRegion } from './captured.js';
import type { Keeper } from './keeper.js';
import type { SlotLayout } from './protocol.js';

/** A region or the skeleton of a capture, under the name its tree is kept by. */
export interface NamedRegion {
  name: string;
  path: string;
  kind: RegionKind;
  bytes: CapturedRegion;
}

/** The capture that the next one is compared with; its slot is held for that. */
export interface Base {
  slot: number;
  regions: Map<string, CapturedRegion>;
}

/** Not a path: paths of regions follow a letter that says what they are. */
export const SKELETON_NAME = 'skeleton';

export class Client {
  readonly id: number;
  readonly run: string;
  /** Present where the Snap saves. */
  readonly program: Program | undefined;
  readonly #slots: { segments: Buffer[]; layout: SlotLayout }[] = [];
  /** The snapshot that the next save continues; undefined: not looked up yet, null: none. */
  lineage: SnapshotId | null | undefined;
  /** What `lineage` was when everything of it was durable. */
  durableLineage: SnapshotId | null | undefined;
  base: Base | undefined;
  trees: Map<string, RegionTree> | undefined;
  /** Which filters suit its regions; a failure does not change that. */
  choices: ReadonlyMap<string, FilterChoice> = new Map();
  /** How much damage the store had seen when they were made. */
  damageSeen = 0;
  /** The regions of the snapshot that was read last; memory that is wanted elsewhere takes them away. */
  regionTable: { id: SnapshotId; entries: WeakRef<RegionEntry[]> } | undefined;
  /** Present where the Snap has a retention policy of its own. */
  readonly keeper: Keeper | undefined;

  constructor(id: number, run: string, program?: Program, keeper?: Keeper) {
    this.id = id;
    this.run = run;
    this.program = program;
    this.keeper = keeper;
  }

  /** The snapshots that its next save may build on. */
  get pinned(): SnapshotId[] {
    return [this.lineage, this.durableLineage].flatMap((id) => id ?? []);
  }

  setSegments(slot: number, segments: readonly SharedArrayBuffer[]): void {
    this.#slot(slot).segments = segments.map((segment) => Buffer.from(segment));
  }

  setLayout(slot: number, layout: SlotLayout): void {
    this.#slot(slot).layout = layout;
  }

  /** What lies in a slot, skeleton first. */
  captured(slot: number, skeletonBytes: number): NamedRegion[] {
    const { segments, layout } = this.#slot(slot);
    const skeleton: NamedRegion = {
      name: SKELETON_NAME,
      path: '',
      kind: 'skeleton',
      bytes: new CapturedRegion(segments, layout.skeleton, skeletonBytes),
    };
    const names = namesOf(layout.regions);
    const regions = layout.regions.map(({ path, kind, byteLength, extents }, index) => ({
      name: names[index] as string,
      path,
      kind,
      bytes: new CapturedRegion(segments, extents, byteLength),
    }));
    return [skeleton, ...regions];
  }

  /** Forgets what the last saves left, after one of them failed. */
  reset(): void {
    this.base = undefined;
    this.trees = undefined;
    this.lineage = this.durableLineage;
  }

  #slot(index: number): { segments: Buffer[]; layout: SlotLayout } {
    this.#slots[index] ??= { segments: [], layout: { skeleton: [], regions: [] } };
    return this.#slots[index];
  }
}

/**
 * The names that the trees of a state's regions are kept by. Very long paths are cut, so several regions may have one:
 * those are told apart by their order.
 */
export function namesOf(regions: readonly { path: string }[]): string[] {
  const met = new Map<string, number>();
  return regions.map(({ path }) => {
    const before = met.get(path) ?? 0;
    met.set(path, before + 1);
    return before === 0 ? `region ${path}` : `again ${before} ${path}`;
  });
}
