/**
 * Restores a graph into a live state: match, then make what is new, then rewrite what stays.
 *
 * Invariants
 *  - until everything was found to fit, nothing live is changed
 *  - what can still fail after that comes first: memories grow (only the engine knows how far they may), then classes'
 *    decode and migrate run; bytes and containers are rewritten last, and nothing there can fail
 */

import { Adoption, type MatchedMemory } from './adopt.js';
import type { Builder, RegionSource } from './build.js';
import { type BufferDetail, type GraphNode, UNWANTED } from './graph.js';
import { entryOf, isMigrating, migrateFields } from './instances.js';
import { type AnyBuffer, memoryBuffer } from './intrinsics.js';
import { overwrite, overwriteFields, rewriteBytes } from './overwrite.js';

export function restoreInto(
  builder: Builder,
  live: unknown,
  regions: readonly (RegionSource | undefined)[],
): void {
  const { graph } = builder;
  const adoption = new Adoption(builder);
  adoption.match(live);
  for (const memory of adoption.memories) grow(builder, memory);
  for (const { node, live } of adoption.memoryViews) {
    const buffer = node.children[0] as GraphNode;
    if (node.made === undefined && viewBuffer(live) === buffer.made && adoption.sameGeometry(node, live)) {
      node.made = live;
      node.adopted = true;
    }
  }
  const bytesOf = (detail: BufferDetail): AnyBuffer | Uint8Array => {
    const bytes = detail.bytes ?? regions[detail.region];
    if (bytes === undefined) throw new TypeError(`region ${detail.region} is needed and was not given`);
    return bytes;
  };
  for (const node of graph.nodes) {
    const detail = node.adopted && node.want !== UNWANTED ? node.detail?.buffer : undefined;
    if (detail !== undefined) bytesOf(detail);
  }
  if (adoption.readsMemories()) {
    for (const { buffer } of adoption.memories) {
      rewriteBytes(buffer.made as AnyBuffer, bytesOf(buffer.detail?.buffer as BufferDetail));
    }
  }

  builder.makeAll();
  const migrated = new Map<GraphNode, object>();
  for (const node of graph.byClosing) {
    if (node.want === UNWANTED) continue;
    if (!node.adopted) builder.fill(node);
    else if (node.detail?.cls !== undefined && isMigrating(node, entryOf(builder, node))) {
      migrated.set(node, migrateFields(builder, node));
    }
  }

  for (const node of graph.byClosing) {
    if (!node.adopted || node.want === UNWANTED) continue;
    const detail = node.detail?.buffer;
    const fields = migrated.get(node);
    if (detail !== undefined) {
      resize(node.made as AnyBuffer, detail);
      rewriteBytes(node.made as AnyBuffer, bytesOf(detail));
    } else if (fields !== undefined) {
      const values = Object.values(fields) as unknown[];
      overwriteFields(node.made as object, Object.keys(fields), (i) => values[i]);
    } else {
      overwrite(builder, node);
    }
  }
}

function viewBuffer(view: object): unknown {
  return (view as ArrayBufferView).buffer;
}

/** Growing detaches a memory's old buffer, so views over it are made anew. */
function grow(builder: Builder, { memory, buffer, growBy }: MatchedMemory): void {
  if (growBy > 0) {
    try {
      memory.grow(growBy);
    } catch (error) {
      const owner = (buffer.detail?.buffer as BufferDetail).memory as GraphNode;
      throw builder.error(
        'SNAP_MISMATCH',
        owner,
        `is a memory that cannot grow by ${growBy} pages, as the snapshot needs`,
        error,
      );
    }
  }
  buffer.made = memoryBuffer.call(memory);
  buffer.adopted = true;
}

/** `match` has made sure that it can. */
function resize(buffer: AnyBuffer, detail: BufferDetail): void {
  if (!detail.resizable || buffer.byteLength === detail.byteLength) return;
  const resizable = buffer as unknown as { resize?(bytes: number): void; grow?(bytes: number): void };
  if (detail.shared) resizable.grow?.(detail.byteLength);
  else resizable.resize?.(detail.byteLength);
}
