/**
 * Manifests: what makes a snapshot.
 *
 *   version (1 byte, 1), id (16), run (string), parent (1 byte: 0 or 1, then 16 if 1), sequence (varint),
 *   step (1 byte: 0 none, 1 positive or zero, 2 negative; then its magnitude as a varint), created (f64, ms),
 *   stall (f64, ms), logical bytes, changed bytes, stored bytes (varints), program name, program version,
 *   Node version, meta (strings; meta is JSON or empty), skeleton (tree), regions.
 *
 * Regions are a count and a table of (path, kind, tree), in the skeleton's order: inside the manifest while
 * small, else the table is itself a chunked tree, so that a manifest stays small and a table of many regions is
 * deduplicated like everything else.
 */

import { SNAPSHOT_ID_BYTES, type SnapshotId, snapshotIdFromBytes, snapshotIdToBytes } from '../base/ids.js';
import { ByteReader, ByteWriter } from './bytes.js';
import { REGION_KINDS, type RegionKind } from './kinds.js';
import { readTree, type Tree, writeTree } from './tree.js';

const MANIFEST_VERSION = 1;
/** A region table larger than this leaves the manifest. */
export const INLINE_TABLE_BYTES = 1024;

export interface Program {
  name: string;
  version: string;
  node: string;
}

export interface RegionEntry {
  path: string;
  kind: RegionKind;
  tree: Tree;
}

/** The region table, where it is: inside the manifest or in a tree of its own. */
export type RegionTable = { inline: RegionEntry[] } | { count: number; tree: Tree };

export interface Manifest {
  id: SnapshotId;
  run: string;
  parent: SnapshotId | undefined;
  /** Order among all snapshots of the store; the newest has the highest. */
  sequence: number;
  step: number | undefined;
  /** Milliseconds since 1970. */
  createdAt: number;
  stallMs: number;
  logicalBytes: number;
  changedBytes: number;
  storedBytes: number;
  program: Program;
  /** JSON, or the empty string for none. */
  meta: string;
  skeleton: Tree;
  regions: RegionTable;
}

export function encodeManifest(manifest: Manifest): Buffer {
  const out = new ByteWriter(1024);
  out.u8(MANIFEST_VERSION).bytes(snapshotIdToBytes(manifest.id)).string(manifest.run);
  out.u8(manifest.parent ? 1 : 0);
  if (manifest.parent) out.bytes(snapshotIdToBytes(manifest.parent));
  out.varint(manifest.sequence);
  writeStep(out, manifest.step);
  out.f64(manifest.createdAt).f64(manifest.stallMs);
  out.varint(manifest.logicalBytes).varint(manifest.changedBytes).varint(manifest.storedBytes);
  out.string(manifest.program.name).string(manifest.program.version).string(manifest.program.node);
  out.string(manifest.meta);
  writeTree(out, manifest.skeleton);
  if ('inline' in manifest.regions) {
    out.u8(0).varint(manifest.regions.inline.length).bytes(encodeRegionTable(manifest.regions.inline));
  } else {
    out.u8(1).varint(manifest.regions.count);
    writeTree(out, manifest.regions.tree);
  }
  return out.finish();
}

export function decodeManifest(payload: Buffer): Manifest {
  const source = new ByteReader(payload, 'a manifest');
  if (source.u8() !== MANIFEST_VERSION) source.fail('unknown version');
  const id = snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES));
  const run = source.string();
  const parent = source.u8() === 1 ? snapshotIdFromBytes(source.bytes(SNAPSHOT_ID_BYTES)) : undefined;
  const sequence = source.varint();
  const step = readStep(source);
  const createdAt = source.f64();
  const stallMs = source.f64();
  const logicalBytes = source.varint();
  const changedBytes = source.varint();
  const storedBytes = source.varint();
  const program = { name: source.string(), version: source.string(), node: source.string() };
  const meta = source.string();
  const skeleton = readTree(source);
  const chunked = source.u8() === 1;
  const count = source.varint();
  const regions: RegionTable = chunked
    ? { count, tree: readTree(source) }
    : { inline: readRegionEntries(source, count) };
  source.end();
  return {
    id,
    run,
    parent,
    sequence,
    step,
    createdAt,
    stallMs,
    logicalBytes,
    changedBytes,
    storedBytes,
    program,
    meta,
    skeleton,
    regions,
  };
}

/** The table as bytes, without its count. */
export function encodeRegionTable(entries: readonly RegionEntry[]): Buffer {
  const out = new ByteWriter(Math.max(64, entries.length * 96));
  for (const entry of entries) {
    out.string(entry.path).u8(REGION_KINDS.indexOf(entry.kind));
    writeTree(out, entry.tree);
  }
  return out.finish();
}

export function decodeRegionTable(payload: Buffer, count: number): RegionEntry[] {
  const source = new ByteReader(payload, 'a region table');
  const entries = readRegionEntries(source, count);
  source.end();
  return entries;
}

function readRegionEntries(source: ByteReader, count: number): RegionEntry[] {
  const entries: RegionEntry[] = [];
  for (let index = 0; index < count; index++) {
    const path = source.string();
    const kind = REGION_KINDS[source.u8()] ?? source.fail('unknown kind of region');
    entries.push({ path, kind, tree: readTree(source) });
  }
  return entries;
}

function writeStep(out: ByteWriter, step: number | undefined): void {
  if (step === undefined) out.u8(0);
  else out.u8(step < 0 ? 2 : 1).varint(Math.abs(step));
}

function readStep(source: ByteReader): number | undefined {
  const form = source.u8();
  if (form === 0) return undefined;
  if (form > 2) source.fail('a step has a wrong form');
  const magnitude = source.varint();
  return form === 2 ? -magnitude : magnitude;
}
