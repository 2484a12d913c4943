/**
 * Reads a skeleton's frame: magic, version, and the region table at its end.
 *
 * Invariant: of everything else, not a byte is looked at; reading the table costs the same for any state.
 */

import { SnapError } from '../base/errors.js';
import type { RegionEntry } from './graph.js';
import { corrupt, Source } from './source.js';
import {
  BUFFER_MEMORY,
  BUFFER_RESIZABLE,
  BUFFER_SHARED,
  FOOTER_BYTES,
  HEADER_BYTES,
  MAGIC_0,
  MAGIC_1,
  MAGIC_2,
  SKELETON_VERSION,
} from './tags.js';

const KNOWN_FLAGS = BUFFER_SHARED | BUFFER_RESIZABLE | BUFFER_MEMORY;

/** The regions, and a source that begins at the root value and ends where the table begins. */
export function openSkeleton(skeleton: Uint8Array): { source: Source; regions: RegionEntry[] } {
  const source = new Source(skeleton);
  if (source.u8() !== MAGIC_0 || source.u8() !== MAGIC_1 || source.u8() !== MAGIC_2) {
    throw corrupt('it does not begin as a skeleton does');
  }
  const version = source.u8();
  if (version !== SKELETON_VERSION) {
    throw new SnapError(
      'SNAP_FORMAT',
      `the skeleton has format ${version}, and this version of holdfast reads ${SKELETON_VERSION}: use a newer one`,
    );
  }
  const footer = skeleton.byteLength - FOOTER_BYTES;
  if (footer < HEADER_BYTES) throw corrupt('it is too short');
  source.at = footer;
  const tableBytes = source.u32();
  const table = footer - tableBytes;
  if (table < HEADER_BYTES) throw corrupt('its region table is longer than it is');
  source.at = table;
  source.end = footer;
  const regions = readTable(source);
  if (source.at !== footer) throw corrupt('its region table has another length than it says');
  source.at = HEADER_BYTES;
  source.end = table;
  return { source, regions };
}

function readTable(source: Source): RegionEntry[] {
  const count = source.count(2);
  const regions: RegionEntry[] = [];
  for (let i = 0; i < count; i++) {
    const flags = source.u8();
    if ((flags & ~KNOWN_FLAGS) !== 0) throw corrupt(`region ${i} has unknown flags`);
    const byteLength = source.varint();
    const resizable = (flags & BUFFER_RESIZABLE) !== 0;
    const maxByteLength = resizable ? source.varint() : byteLength;
    if (maxByteLength < byteLength) throw corrupt(`region ${i} is longer than it may become`);
    regions.push({
      byteLength,
      shared: (flags & BUFFER_SHARED) !== 0,
      resizable,
      maxByteLength,
      memory: (flags & BUFFER_MEMORY) !== 0,
    });
  }
  return regions;
}
