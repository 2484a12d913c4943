/** Owns a store until it is killed; tells its parent when it has saved. */
import { Snap } from '../../../src/index.js';

const snap = await Snap.open(process.argv[2] as string);
await snap.save({ n: 1 }, { durable: true });
process.send?.('saved');
setInterval(() => {}, 1000);
