/** Whether two plates are the same, bit for bit, when they live in different processes. */

import { blake3 } from '@napi-rs/blake-hash';
import type { Plate } from '../heat.js';

/** One entry for each part of a plate; equal exactly where every bit of that part is. */
export type Fingerprint = Record<string, string>;

export function fingerprint(plate: Plate): Fingerprint {
  const { step, random, torch, temperature, conductivity, probes } = plate;
  const prints: Fingerprint = {
    'names of fields': Object.keys(plate).join(' '),
    step: bits([step]),
    random: bits([random]),
    torch: bits([torch.row, torch.column]),
    temperature: bits(temperature),
    conductivity: bits(conductivity),
    'names of probes': JSON.stringify([...probes.keys()]),
  };
  for (const [name, { row, column, readings }] of probes) {
    prints[`probe ${name}`] = bits([row, column, ...readings]);
  }
  return prints;
}

/** BLAKE3 over the doubles as they lie in memory, so that -0, NaN and the last digit count too. */
function bits(numbers: readonly number[] | Float64Array): string {
  const doubles = numbers instanceof Float64Array ? numbers : Float64Array.from(numbers);
  const digest = blake3(Buffer.from(doubles.buffer, doubles.byteOffset, doubles.byteLength));
  return `${doubles.length}:${Buffer.from(digest).toString('hex')}`;
}

/** Names of the parts that differ, or that only one of the two has. */
export function differences(a: Fingerprint, b: Fingerprint): string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => a[name] !== b[name]);
}
