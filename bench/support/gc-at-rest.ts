/** A fresh process that opens a store and collects: prints what it did, how long it took and what it held in memory. */

import { readFileSync } from 'node:fs';
import { Snap } from '../../src/index.js';

const [, , folder = '', last = ''] = process.argv;
const LOOK_MS = 20;

const snap = await Snap.open(folder);
const openBytes = process.memoryUsage.rss();
const openOwnBytes = ownBytes();
let peakOwnBytes = openOwnBytes;
const looking = setInterval(() => {
  peakOwnBytes = Math.max(peakOwnBytes, ownBytes());
}, LOOK_MS);
const report = await snap.gc({ last: Number(last) });
clearInterval(looking);
// Kilobytes; the highest since the process began.
const peakBytes = process.resourceUsage().maxRSS * 1024;
await snap.close();
console.log(JSON.stringify({ ...report, snapshots: [], openBytes, peakBytes, openOwnBytes, peakOwnBytes }));

/** Without files that are mapped, LevelDB's tables above all: these the kernel takes back as it likes. */
function ownBytes(): number {
  const own = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return own ? Number(own[1]) * 1024 : Number.NaN;
}
