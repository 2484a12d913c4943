/**
 * A snapshot taken apart for other programs: its regions as bytes, everything else as a JSON document.
 *
 * Invariants
 *  - nothing of the state is made: no class is needed, and no code of one runs
 *  - every byte has been checked against its chunk id
 *  - of a region, PIECE_BYTES are in memory at a time
 */

import { SnapError } from '../base/errors.js';
import { MiB } from '../base/sizes.js';
import { dtypeOf, elementBytes, type RegionKind } from '../format/kinds.js';
import { type RegionRole, StateDocument, type WrittenRegion, wordsOf } from '../state/index.js';
import type { RegionInfo } from '../writer/finding.js';
import type { SnapshotInfo } from '../writer/protocol.js';
import type { OpenedSnapshot } from '../writer/restore-requests.js';
import { requestOf, type Snap } from './snap.js';

/** A region as an array for other programs. */
export interface ArrayPart {
  /** Number of the region. */
  index: number;
  /** False where other paths were asked for. */
  wanted: boolean;
  path: string;
  /** The keys and indexes that the path leads through. */
  words: string[];
  kind: RegionKind;
  /** As numpy writes it, `<f8`; bytes where the region is no whole number of elements. */
  dtype: string;
  /** Lengths of the dimensions, the last one running fastest. */
  shape: readonly number[];
  byteLength: number;
  shared: boolean;
  /** Present for a resizable (or growable shared) buffer. */
  maxByteLength?: number;
}

type Request = (method: string, args: unknown[]) => Promise<unknown>;

const PIECE_BYTES = 4 * MiB;

export class StateParts {
  readonly info: SnapshotInfo;
  /** All regions, in the order of the skeleton. */
  readonly arrays: ArrayPart[];
  readonly #request: Request;
  readonly #document: StateDocument;

  constructor(request: Request, { info, regions }: OpenedSnapshot, document: StateDocument) {
    this.info = info;
    this.#request = request;
    this.#document = document;
    this.arrays = document.regions.map((role, index) => {
      const region = regions[index];
      if (regions.length !== document.regions.length || region?.byteLength !== role.byteLength)
        throw damaged(info.id);
      return arrayPart(index, region, role);
    });
  }

  /** The JSON document in pieces: `head`, then the state, in which each array is the file that `fileOf` names. */
  document(head: object, fileOf: (array: ArrayPart) => string): Iterable<string> {
    const written: WrittenRegion[] = [];
    for (const array of this.arrays.filter(({ wanted }) => wanted)) {
      written[array.index] = { file: fileOf(array), kind: array.kind, shape: array.shape };
    }
    return this.#document.text(head, written);
  }

  /** The bytes of an array, in pieces. */
  async *read({ index, byteLength }: ArrayPart): AsyncGenerator<Uint8Array, void, undefined> {
    for (let start = 0; start < byteLength; start += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, byteLength - start);
      yield new Uint8Array(
        (await this.#request('piece', [this.info.id, index, start, length])) as ArrayBuffer,
      );
    }
  }
}

function arrayPart(index: number, { path, kind: name, byteLength }: RegionInfo, role: RegionRole): ArrayPart {
  const kind = name as RegionKind;
  const whole = byteLength % elementBytes(kind) === 0;
  const length = whole ? byteLength / elementBytes(kind) : byteLength;
  const { shape: said = [], shared, maxByteLength } = role;
  const fits = said.length > 0 && said.reduce((product, one) => product * one, 1) === length;
  const part: ArrayPart = {
    index,
    wanted: role.wanted,
    path,
    words: wordsOf(path),
    kind,
    dtype: dtypeOf(whole ? kind : 'bytes'),
    shape: fits ? said : [length],
    byteLength,
    shared,
  };
  return maxByteLength === undefined ? part : { ...part, maxByteLength };
}

function damaged(id: string): SnapError {
  const message = `snapshot ${id} cannot be restored: its skeleton tells of other regions than it has`;
  return new SnapError('SNAP_CORRUPT', message, { snapshot: id });
}

/**
 * @param id of the snapshot
 * @param only paths of regions or subtrees: what is not on the way to them, or in them, is left out
 * @throws SnapError SNAP_NOT_FOUND for a path that leads nowhere, SNAP_CORRUPT
 */
export async function openParts(snap: Snap, id: string, only?: readonly string[]): Promise<StateParts> {
  const request: Request = (method, args) => requestOf(snap, method, args);
  const opened = (await request('open', [id])) as OpenedSnapshot;
  return new StateParts(request, opened, new StateDocument(opened.skeleton, only));
}
