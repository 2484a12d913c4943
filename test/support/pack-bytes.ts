/** Looking into the bytes of a pack, for tests that aim at one record. */

import { decodeHeader, type RecordHeader, recordBytes } from '../../src/format/record.js';
import { STORE } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';

export function packPath(number: number): string {
  return `${STORE}/packs/${String(number).padStart(8, '0')}.pack`;
}

/** Headers of the records of a pack, from its beginning until there is none. */
export function recordsOf(bytes: Buffer): RecordHeader[] {
  const records: RecordHeader[] = [];
  for (let position = 0; ; ) {
    const header = decodeHeader(bytes, position);
    if (typeof header === 'string') return records;
    records.push(header);
    position += recordBytes(header.storedLength);
  }
}

/** Damages a file: `change` gets a copy of its bytes. */
export function damage(disk: SimulatedDisk, path: string, change: (bytes: Buffer) => void): void {
  const bytes = Buffer.from(disk.contents(path));
  change(bytes);
  disk.plant(path, bytes);
}

/** Flips one bit. */
export function flip(bytes: Buffer, offset: number, bit = 0): void {
  bytes[offset] = (bytes[offset] as number) ^ (1 << bit);
}
