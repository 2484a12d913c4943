/** What a loop needs of its Snap beyond the public face. */

import type { Program } from '../../format/manifest.js';
import type { SnapshotInfo } from '../../writer/protocol.js';
import type { SnapshotRef } from '../../writer/refs.js';
import type { RestoreOptions } from '../reading.js';
import type { Snap } from '../snap.js';

export interface LoopHost extends Pick<Snap, 'directory' | 'run' | 'save' | 'list'> {
  readonly program: Program;
  /** Where the run is to be saved instead of by the cadence; present in a process that runs for a proof. */
  readonly plan: { wants(step: number): boolean } | undefined;
  /** Claims the Snap for one loop; throws where it has one already, or cannot save. */
  claim(): void;
  release(): void;
  /**
   * `resume`, with the snapshot that the state is from; undefined where `init` made it. `into`: what `init` makes is
   * rewritten.
   */
  resume(init: () => unknown, into: boolean): Promise<{ state: unknown; from: SnapshotInfo | undefined }>;
  restore(ref: SnapshotRef, options: RestoreOptions): Promise<{ state: unknown; from: SnapshotInfo }>;
  /** True while a save is asked for from outside that no save made here has answered. */
  readonly checkpointAsked: boolean;
  /** Turns the event loop once: timers, signals and messages are heard. */
  turn(): Promise<void>;
  forgetAll(ids: readonly string[]): Promise<void>;
}
