/** A reader of .npy files, and numpy itself where it is there. */

import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';

export interface Npy {
  dtype: string;
  shape: number[];
  /** Numbers of this dtype, over bytes of their own. */
  data: ArrayBufferView;
  bytes: Uint8Array;
}

const TYPES: Record<string, new (buffer: ArrayBuffer) => ArrayBufferView> = {
  '|i1': Int8Array,
  '|u1': Uint8Array,
  '<i2': Int16Array,
  '<u2': Uint16Array,
  '<i4': Int32Array,
  '<u4': Uint32Array,
  '<i8': BigInt64Array,
  '<u8': BigUint64Array,
  // Its bits: not every Node has an array of them.
  '<f2': Uint16Array,
  '<f4': Float32Array,
  '<f8': Float64Array,
};

export function readNpy(file: Uint8Array): Npy {
  const text = Buffer.from(file).toString('latin1');
  assert.equal(text.slice(0, 8), '\u0093NUMPY\u0001\u0000');
  const start = 10 + new DataView(file.buffer, file.byteOffset).getUint16(8, true);
  assert.equal(start % 64, 0, 'the data is aligned');
  const header = text.slice(10, start);
  const match = /^\{'descr': '(.*?)', 'fortran_order': False, 'shape': \((.*?)\), \} *\n$/.exec(header);
  assert.ok(match, header);
  const [, dtype = '', lengths = ''] = match;
  const shape = lengths.split(',').flatMap((length) => (length.trim() === '' ? [] : [Number(length)]));
  const bytes = file.slice(start);
  const type = TYPES[dtype];
  assert.ok(type, `${dtype} is known`);
  return { dtype, shape, data: new type(bytes.buffer as ArrayBuffer), bytes };
}

/** Why numpy cannot be asked; false where it can. */
export const withoutNumpy: string | false =
  spawnSync('python3', ['-c', 'import numpy']).status === 0 ? false : 'takes python3 with numpy';

/** What a Python program prints, as JSON; `np` and `json` are there, and the arguments in `argv`. */
export function askNumpy<T>(program: string, ...argv: string[]): T {
  const head = 'import json, sys\nimport numpy as np\nargv = sys.argv[1:]\n';
  const { stdout, stderr, status } = spawnSync('python3', ['-c', head + program, ...argv], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}
