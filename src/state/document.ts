/** A skeleton as a document for other programs: what its regions are, and the rest as JSON. Nothing of it is made. */

import { type Graph, UNWANTED } from './graph.js';
import { jsonText, type Part } from './json-text.js';
import { parseSkeleton } from './parse.js';
import { parsePath } from './paths.js';
import { regionShapes } from './region-shapes.js';
import { selectOnly } from './select.js';
import { plainPart, stateFields, type WrittenRegion } from './to-json.js';

/** What the skeleton says of a region. */
export interface RegionRole {
  /** False where `only` asked for other things. */
  wanted: boolean;
  byteLength: number;
  shared: boolean;
  /** Present for a resizable (or growable shared) buffer. */
  maxByteLength?: number;
  /** The lengths of its dimensions, where the state says that it has several. */
  shape: readonly number[] | undefined;
}

export class StateDocument {
  readonly regions: RegionRole[];
  readonly #graph: Graph;

  /**
   * @throws SnapError SNAP_CORRUPT for a damaged skeleton, SNAP_FORMAT for one of a newer version, SNAP_NOT_FOUND for a
   *   path of `only` that leads nowhere
   */
  constructor(skeleton: Uint8Array, only?: readonly string[]) {
    const graph = parseSkeleton(skeleton);
    if (only) selectOnly(graph, only);
    const wanted = new Set(
      graph.nodes.filter(({ want }) => want !== UNWANTED).map(({ detail }) => detail?.buffer?.region),
    );
    const shapes = regionShapes(graph);
    this.#graph = graph;
    this.regions = graph.regions.map(({ byteLength, shared, resizable, maxByteLength }, index) => ({
      wanted: wanted.has(index),
      byteLength,
      shared,
      ...(resizable && { maxByteLength }),
      shape: shapes[index],
    }));
  }

  /** The document in pieces: what is in `head`, then the state, in which each wanted region is its file. */
  text(head: object, regions: readonly (WrittenRegion | undefined)[]): Generator<string> {
    const graph = this.#graph;
    const fields = function* (): Generator<[string, Part]> {
      for (const [key, value] of Object.entries(head)) yield [key, plainPart(value)];
      yield* stateFields(graph, regions);
    };
    return jsonText({ fields: fields() });
  }
}

/** The keys and indexes that a path leads through, for naming a file after it; none for a path that was cut. */
export function wordsOf(path: string): string[] {
  return (parsePath(path) ?? []).map((segment) => {
    switch (segment.kind) {
      case 'key':
        return segment.key;
      case 'get':
        return typeof segment.key === 'symbol' ? (Symbol.keyFor(segment.key) ?? '') : String(segment.key);
      case 'index':
        return String(segment.index);
      default:
        return `${segment.kind === 'mapKey' ? 'key' : 'value'}-${segment.index}`;
    }
  });
}
