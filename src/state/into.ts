/**
 * Restores a graph into a live state: match, then make what is new, then rewrite what stays.
 *
 * Invariants
 *  - until everything was found to fit, nothing live is changed
 *  - what can still fail after that comes first: memories grow (only the engine knows how far they may), then classes'
 *    decode and migrate run; bytes and containers are rewritten last, and nothing there can fail
 */

import type { SnapError } from '../base/errors.js';
import { Adoption, type MatchedMemory } from './adopt.js';
import type { Builder } from './build.js';
import { bufferOf, type GraphNode, UNWANTED } from './graph.js';
import { entryOf, isMigrating, migrateFields } from './instances.js';
import { type AnyBuffer, memoryBuffer } from './intrinsics.js';
import { bufferOfView, sameGeometry } from './live-kinds.js';
import { overwrite, overwriteFields, rewriteBytes } from './overwrite.js';
import { RegionPatch, type RegionSource } from './region-sources.js';
import { WASM_PAGE_BYTES } from './tags.js';

/**
 * For each region, the live buffer that `restoreInto` would rewrite, whatever its length. Throws as it would where the
 * live state does not fit, and leaves the graph as it was.
 */
export function matchRegions(builder: Builder, live: unknown): (AnyBuffer | undefined)[] {
  const adoption = new Adoption(builder);
  adoption.match(live);
  const matched = placedBuffers(builder, adoption);
  for (const node of builder.graph.nodes) {
    node.made = undefined;
    node.adopted = false;
  }
  return matched;
}

/** By region. A memory that a class may read and write is none of them: it is given its bytes whole, and twice. */
function placedBuffers(builder: Builder, adoption: Adoption): (AnyBuffer | undefined)[] {
  const placed: (AnyBuffer | undefined)[] = builder.graph.regions.map(() => undefined);
  for (const node of builder.graph.nodes) {
    const { region = -1 } = node.detail?.buffer ?? {};
    if (region !== -1) placed[region] = node.made as AnyBuffer | undefined;
  }
  if (adoption.readsMemories()) return placed;
  for (const { memory, buffer } of adoption.memories) {
    const { region } = bufferOf(buffer);
    if (region !== -1) placed[region] = memoryBuffer.call(memory);
  }
  return placed;
}

export function restoreInto(builder: Builder, live: unknown): void {
  const { graph } = builder;
  const adoption = new Adoption(builder);
  adoption.match(live);
  const placed = placedBuffers(builder, adoption);
  const contents = new Map<GraphNode, RegionSource | Uint8Array>();
  for (const node of graph.nodes) {
    const detail = node.want === UNWANTED ? undefined : node.detail?.buffer;
    if (detail === undefined) continue;
    const source = detail.bytes ?? builder.regionSource(detail.region);
    if (source instanceof RegionPatch && !source.fits(placed[detail.region])) throw exchanged(builder, node);
    if (node.adopted || detail.memory !== undefined) contents.set(node, source);
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
      rewrite(buffer, contents);
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
      rewrite(node, contents);
    } else if (fields !== undefined) {
      const values = Object.values(fields) as unknown[];
      overwriteFields(node.made as object, Object.keys(fields), (i) => values[i]);
    } else {
      overwrite(builder, node);
    }
  }
}

function rewrite(node: GraphNode, contents: ReadonlyMap<GraphNode, RegionSource | Uint8Array>): void {
  const source = contents.get(node);
  const buffer = node.made as AnyBuffer;
  if (source instanceof RegionPatch) source.writeTo(buffer);
  else if (source !== undefined) rewriteBytes(buffer, source);
}

function exchanged(builder: Builder, node: GraphNode): SnapError {
  return builder.error(
    'SNAP_MISMATCH',
    node,
    'was exchanged or resized in the live state while it was being restored',
  );
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
