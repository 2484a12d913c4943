/** A fresh process that opens a store and collects: prints what it did, how long it took and what it held in memory. */

import { Snap } from '../../src/index.js';

const [, , folder = '', last = ''] = process.argv;
const snap = await Snap.open(folder);
const openBytes = process.memoryUsage().rss;
const report = await snap.gc({ last: Number(last) });
// Kilobytes; the highest since the process began.
const peakBytes = process.resourceUsage().maxRSS * 1024;
await snap.close();
console.log(JSON.stringify({ ...report, snapshots: [], openBytes, peakBytes }));
