/** Its writer thread dies while it saves; it looks at what became of the save or not, and ends without closing. */
import { Snap } from '../../../src/index.js';
import { type Fault, faulty, setFault } from '../support.js';

const [, , path, code, rest] = process.argv as [string, string, string, Fault['code'], string];
const snap = await Snap.open(path, faulty());
const state = { n: 0, u: new Float64Array(100_000) };
await snap.save(state, { durable: true });
setFault(path, { call: 'sync', code, times: 1 });
const ticket = await snap.save(state);
if (rest === 'looks') {
  const said = await ticket.durable.then(
    () => 'durable',
    (error: { code: string }) => error.code,
  );
  process.stdout.write(`${said}\n`);
}
