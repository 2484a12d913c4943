/**
 * Restores a graph into a live state: match, then make what is new, then rewrite what stays.
 *
 * Invariants
 *  - until everything was found to fit, nothing live is changed
 *  - what can still fail after that comes first: memories grow (only the engine knows how far they may), then classes'
 *    decode and migrate run; bytes and containers are rewritten last, and nothing there can fail
 */

import { Adoption, type MatchedMemory } from './adopt.js';
import type { Builder } from './build.js';
import { bufferOf, type GraphNode, UNWANTED } from './graph.js';
import { entryOf, isMigrating, migrateFields } from './instances.js';
import { type AnyBuffer, memoryBuffer } from './intrinsics.js';
import { bufferOfView, sameGeometry } from './live-kinds.js';
import { overwrite, overwriteFields, rewriteBytes } from './overwrite.js';
import { WASM_PAGE_BYTES } from './tags.js';

/**
 * For each region, the live buffer that `restoreInto` would rewrite: of the same length and kind, and not to be grown
 * or resized first. Throws as it would where the live state does not fit, and changes nothing.
 */
export function matchRegions(builder: Builder, live: unknown): (AnyBuffer | undefined)[] {
  const adoption = new Adoption(builder);
  adoption.match(live);
  for (const { memory, buffer } of adoption.memories) buffer.made = memoryBuffer.call(memory);
  const matched: (AnyBuffer | undefined)[] = builder.graph.regions.map(() => undefined);
  for (const node of builder.graph.nodes) {
    const { region = -1, byteLength } = node.detail?.buffer ?? {};
    const buffer = node.made as AnyBuffer | undefined;
    if (region !== -1 && buffer?.byteLength === byteLength) matched[region] = buffer;
  }
  return matched;
}

export function restoreInto(builder: Builder, live: unknown): void {
  const { graph } = builder;
  const adoption = new Adoption(builder);
  adoption.match(live);
  const contents = new Map<GraphNode, AnyBuffer | Uint8Array>();
  for (const node of graph.nodes) {
    const detail = node.want === UNWANTED ? undefined : node.detail?.buffer;
    if (detail === undefined || !(node.adopted || detail.memory !== undefined)) continue;
    contents.set(node, detail.bytes ?? builder.regionSource(detail.region));
  }

  for (const memory of adoption.memories) growMemory(builder, memory);
  for (const { node, live } of adoption.memoryViews) {
    const buffer = node.children[0] as GraphNode;
    if (node.made === undefined && bufferOfView(live) === buffer.made && sameGeometry(node, live)) {
      node.made = live;
      node.adopted = true;
    }
  }
  // Views that are new may need the room; what is to shrink waits until nothing can fail.
  for (const node of contents.keys()) resizeTo(node, Math.max);
  if (adoption.readsMemories()) {
    for (const { buffer } of adoption.memories) {
      rewriteBytes(buffer.made as AnyBuffer, contents.get(buffer) as AnyBuffer);
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
      resizeTo(node, Math.min);
      rewriteBytes(node.made as AnyBuffer, contents.get(node) as AnyBuffer);
    } else if (fields !== undefined) {
      const values = Object.values(fields) as unknown[];
      overwriteFields(node.made as object, Object.keys(fields), (i) => values[i]);
    } else {
      overwrite(builder, node);
    }
  }
}

/** Growing detaches a memory's old buffer, so views over it are made anew. */
function growMemory(builder: Builder, { memory, buffer }: MatchedMemory): void {
  const growBy = (bufferOf(buffer).byteLength - memoryBuffer.call(memory).byteLength) / WASM_PAGE_BYTES;
  if (growBy > 0) {
    try {
      memory.grow(growBy);
    } catch (error) {
      const owner = bufferOf(buffer).memory;
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

/** To the snapshot's length or the present one, as `pick` says; `match` has made sure that it can be. */
function resizeTo(node: GraphNode, pick: (a: number, b: number) => number): void {
  const buffer = node.made as AnyBuffer;
  const { byteLength, resizable, shared, memory } = bufferOf(node);
  const target = pick(byteLength, buffer.byteLength);
  if (!resizable || memory !== undefined || buffer.byteLength === target) return;
  const able = buffer as unknown as { resize?(bytes: number): void; grow?(bytes: number): void };
  if (shared) able.grow?.(target);
  else able.resize?.(target);
}
