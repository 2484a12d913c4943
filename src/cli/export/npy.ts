/**
 * The header of a .npy file, version 1.0 (NEP 1).
 *
 *    0    6   93 "NUMPY"
 *    6    2   version: 1, 0
 *    8    2   n, little-endian: at most a few hundred, as no array here has more than 32 dimensions
 *   10    n   a Python dict, spaces, a line feed; so many that the data begins on a multiple of 64
 */

import { roundUp } from '../../base/sizes.js';

const MAGIC = Buffer.from('\u0093NUMPY', 'latin1');
const VERSION = Buffer.of(1, 0);
const BEFORE_DICT = MAGIC.length + VERSION.length + 2;
const ALIGNMENT = 64;

export function npyHeader(dtype: string, shape: readonly number[]): Buffer {
  // A tuple of one has a comma too.
  const lengths = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${lengths}), }`;
  const bytes = roundUp(BEFORE_DICT + dict.length + 1, ALIGNMENT) - BEFORE_DICT;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes);
  return Buffer.concat([MAGIC, VERSION, length, Buffer.from(`${dict.padEnd(bytes - 1)}\n`, 'latin1')]);
}
