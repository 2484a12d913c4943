/**
 * The small records beside snapshots: tags that move, snapshots forgotten, timings known only afterwards.
 * Each is the whole of one change; the last one in commit order counts.
 *
 *   tag      present (1 byte), snapshot id (16, zero where the tag was removed), name (string)
 *   forget   forgotten (1 byte: 1, or 0 for unforget), snapshot id (16)
 *   timing   snapshot id (16), milliseconds from save to durable (f64)
 */

import { SNAPSHOT_ID_BYTES, type SnapshotId, snapshotIdFromBytes, snapshotIdToBytes } from '../base/ids.js';
import { ByteReader, ByteWriter } from './bytes.js';

export interface TagNote {
  name: string;
  /** Undefined: the tag is gone. */
  snapshot: SnapshotId | undefined;
}

export interface ForgetNote {
  snapshot: SnapshotId;
  forgotten: boolean;
}

export interface TimingNote {
  snapshot: SnapshotId;
  durableMs: number;
}

const NO_SNAPSHOT = Buffer.alloc(SNAPSHOT_ID_BYTES);

export function encodeTag(note: TagNote): Buffer {
  const id = note.snapshot ? snapshotIdToBytes(note.snapshot) : NO_SNAPSHOT;
  return new ByteWriter(64)
    .u8(note.snapshot ? 1 : 0)
    .bytes(id)
    .string(note.name)
    .finish();
}

export function decodeTag(payload: Buffer): TagNote {
  const source = new ByteReader(payload, 'a tag record');
  const present = readFlag(source);
  const id = snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES));
  const name = source.string();
  source.end();
  return { name, snapshot: present ? id : undefined };
}

export function encodeForget(note: ForgetNote): Buffer {
  return new ByteWriter(32)
    .u8(note.forgotten ? 1 : 0)
    .bytes(snapshotIdToBytes(note.snapshot))
    .finish();
}

export function decodeForget(payload: Buffer): ForgetNote {
  const source = new ByteReader(payload, 'a forget record');
  const forgotten = readFlag(source);
  const snapshot = snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES));
  source.end();
  return { snapshot, forgotten };
}

export function encodeTiming(note: TimingNote): Buffer {
  return new ByteWriter(32).bytes(snapshotIdToBytes(note.snapshot)).f64(note.durableMs).finish();
}

export function decodeTiming(payload: Buffer): TimingNote {
  const source = new ByteReader(payload, 'a timing record');
  const snapshot = snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES));
  const durableMs = source.f64();
  source.end();
  return { snapshot, durableMs };
}

function readFlag(source: ByteReader): boolean {
  const value = source.u8();
  if (value > 1) source.fail('a flag is neither 0 nor 1');
  return value === 1;
}
