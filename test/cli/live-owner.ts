/** A program that owns a store: saves, says `ready`, and stays until its stdin ends. */

import { Snap } from '../../src/index.js';

const [, , directory = ''] = process.argv;
await using snap = await Snap.open(directory, { run: 'live' });
const state = { step: 0, u: new Float64Array(1000) };
await snap.save(state, { step: 1, durable: true });
process.stdout.write('ready\n');
process.stdin.resume();
await new Promise((resolve) => process.stdin.on('end', resolve));
