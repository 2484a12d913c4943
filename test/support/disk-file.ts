/**
 * The bytes of one simulated file, as a running process sees them and as a power cut would leave them.
 *
 * Invariants
 *  - buffers are never changed in place, so that clones share them
 *  - `visible` is what reads return; `durable` is what is on the platter for certain; `pending` are the changes
 *    made since the last sync, in order, any of which may or may not be on the platter
 */

export type FileChange = { order: number } & (
  | { kind: 'write'; position: number; bytes: Buffer }
  | { kind: 'truncate'; size: number }
);

export class DiskFile {
  visible: Buffer = EMPTY;
  durable: Buffer = EMPTY;
  pending: FileChange[] = [];
  /** Length that an acknowledged commit relies on; see disk-rules.ts. */
  acknowledged = 0;
  /** A sync or truncation of this file failed: what can be read of it may never have been written. */
  failed = false;
  /** It failed under the process that has it open now, which may not write to it any more. */
  distrusted = false;

  clone(): DiskFile {
    const copy = new DiskFile();
    copy.visible = this.visible;
    copy.durable = this.durable;
    copy.pending = this.pending.slice();
    copy.acknowledged = this.acknowledged;
    copy.failed = this.failed;
    return copy;
  }

  change(change: FileChange): void {
    this.visible = applied(this.visible, change);
    this.pending.push(change);
  }

  sync(): void {
    this.durable = this.pending.reduce<Buffer>(applied, this.durable);
    this.pending = [];
  }

  /**
   * A sync that failed: the kernel drops the dirty pages and calls them clean, so a later sync claims success without
   * them. `written` reached the platter all the same. `readable`: the others can be read until the power goes;
   * otherwise they are gone at once.
   */
  failSync(written: readonly FileChange[], readable: boolean): void {
    this.durable = written.reduce<Buffer>(applied, this.durable);
    this.pending = [];
    this.failed = true;
    this.distrusted = true;
    if (readable) return;
    const reverted = Buffer.alloc(this.visible.length);
    this.durable.copy(reverted);
    this.visible = reverted;
  }

  /** True where everything that can be read would survive a power cut. */
  get isDurable(): boolean {
    const { visible, durable } = this;
    return (
      durable.length >= visible.length && durable.compare(visible, 0, visible.length, 0, visible.length) === 0
    );
  }
}

export function applied(bytes: Buffer, change: FileChange): Buffer {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.size);
    bytes.copy(cut);
    return cut;
  }
  const end = change.position + change.bytes.length;
  const next = Buffer.alloc(Math.max(bytes.length, end));
  bytes.copy(next);
  change.bytes.copy(next, change.position);
  return next;
}

const EMPTY = Buffer.alloc(0);
