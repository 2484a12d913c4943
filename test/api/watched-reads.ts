/** What restores of this process ask the writer thread for. */

import { Owner } from '../../src/writer/owner.js';
import type { PieceRequest } from '../../src/writer/restore-requests.js';

export interface Reads {
  /** How many chunks of each region were asked for, by the number of the region. */
  chunks: Map<number, number>;
  /** How many of them were to be verified there, and how many here. */
  verified: { there: number; here: number };
  clear(): void;
}

export function watchReads(t: { after(clean: () => void): void }): Reads {
  const { request } = Owner.prototype;
  const reads: Reads = {
    chunks: new Map(),
    verified: { there: 0, here: 0 },
    clear() {
      reads.chunks.clear();
      reads.verified = { there: 0, here: 0 };
    },
  };
  Owner.prototype.request = function (client, method, args, long) {
    if (method === 'chunkBytes') {
      const { parts, verify } = args[1] as PieceRequest;
      for (const { region, count } of parts) {
        reads.chunks.set(region, (reads.chunks.get(region) ?? 0) + count);
        reads.verified[verify ? 'there' : 'here'] += count;
      }
    }
    return request.call(this, client, method, args, long);
  };
  t.after(() => {
    Owner.prototype.request = request;
  });
  return reads;
}

/** Does something after the first answer to a request has come, and before whoever asked sees it. */
export function afterRequest(
  t: { after(clean: () => void): void },
  wanted: string,
  act: (result: unknown) => unknown,
): void {
  const { request } = Owner.prototype;
  Owner.prototype.request = async function (client, method, args, long) {
    const result = await request.call(this, client, method, args, long);
    if (method !== wanted) return result;
    Owner.prototype.request = request;
    await act(result);
    return result;
  };
  t.after(() => {
    Owner.prototype.request = request;
  });
}

/** The requests that are made from now on, by the call of what is returned at the latest. */
export function watchRequests(t: { after(clean: () => void): void }): () => string[] {
  const { request } = Owner.prototype;
  const asked: string[] = [];
  const stop = () => {
    Owner.prototype.request = request;
  };
  Owner.prototype.request = function (client, method, args, long) {
    if (method !== 'touch') asked.push(method);
    return request.call(this, client, method, args, long);
  };
  t.after(stop);
  return () => {
    stop();
    return asked;
  };
}
