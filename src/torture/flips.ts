/**
 * Damage: one bit of a pack is flipped at a time. A snapshot that is then restored is right, or refused as damaged; it
 * is never wrong. Each bit is flipped back.
 */

import { join } from 'node:path';
import { Snap } from '../index.js';
import { realIo } from '../io/real.js';
import type { Oracle } from './oracle.js';

/** Snapshots restored with each flipped bit. */
const RESTORED_PER_FLIP = 3;

/** Returns how many of the flipped bits `verify` saw: not every byte of a pack is in use. */
export async function flipBits(
  store: string,
  flips: number,
  oracle: Oracle,
  random: () => number,
): Promise<number> {
  const packs = join(store, 'packs');
  const names = realIo.list(packs).filter((name) => name.endsWith('.pack'));
  if (names.length === 0) return 0;
  let seen = 0;
  for (let flip = 0; flip < flips; flip++) {
    const file = realIo.open(join(packs, names[Math.floor(random() * names.length)] as string), 'write');
    try {
      const at = Math.floor(random() * file.size());
      const byte = new Uint8Array(1);
      file.read(byte, at);
      const flipped = Uint8Array.of((byte[0] as number) ^ (1 << Math.floor(random() * 8)));
      file.write(flipped, at);
      if (await isSeen(store, oracle, random)) seen++;
      file.write(byte, at);
    } finally {
      file.close();
    }
  }
  return seen;
}

async function isSeen(store: string, oracle: Oracle, random: () => number): Promise<boolean> {
  await using snap = await Snap.open(store, { readOnly: true });
  await oracle.checkDamaged(snap, RESTORED_PER_FLIP, random);
  return !(await snap.verify({ readData: true })).ok;
}
