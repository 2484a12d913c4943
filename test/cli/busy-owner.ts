/** A program that owns a store, says `ready`, and computes without yielding until a file `<store>.stop` is there. */

import { existsSync, writeSync } from 'node:fs';
import { Snap } from '../../src/index.js';

const [, , directory = ''] = process.argv;
await using _snap = await Snap.open(directory, { run: 'live' });
writeSync(1, 'ready\n');
let sum = 0;
while (!existsSync(`${directory}.stop`)) for (let index = 0; index < 100_000; index++) sum += Math.sin(index);
if (Number.isNaN(sum)) process.exitCode = 1;
