/**
 * The store descriptor: the file that says "this folder is a store", and what it takes to understand it.
 *
 * JSON, because a person who finds the folder should be able to read it. `check` is the CRC-32 of the rest as
 * serialised here, in hexadecimal. A program may do an operation only if it knows every feature listed for it:
 * so a new compression filter shuts old programs out of reading, and a new gc rule only out of gc.
 */

import { crc32 } from 'node:zlib';
import { SnapError } from '../base/errors.js';
import { FORMAT_VERSION } from './record.js';

export type StoreOperation = 'read' | 'write' | 'gc';

export interface Descriptor {
  /** 32 hexadecimal digits. */
  uuid: string;
  version: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** How chunk ids are made: `plain` BLAKE3, or `keyed` for an encrypted store. */
  ids: 'plain' | 'keyed';
  /** Names of features that a program has to know for each operation. */
  features: Record<StoreOperation, string[]>;
}

/**
 * Features that this program knows, and for what each has to be known.
 *
 *   patch       pages stored as patches
 *   shuffle     filters for numbers
 *   base        chunks stored as differences from others
 *   dictionary  chunks of which another one is zstd's dictionary
 */
const FEATURES = {
  patch: ['read', 'gc'],
  shuffle: ['read'],
  base: ['read', 'gc'],
  dictionary: ['read'],
} as const satisfies Record<string, readonly StoreOperation[]>;

export type Feature = keyof typeof FEATURES;

export const ALL_FEATURES = Object.keys(FEATURES) as Feature[];

/** A new store has what every version writes; what others may not know is added when it is first written. */
export function newDescriptor(
  uuid: string,
  createdAt: number,
  features: readonly Feature[] = ['patch'],
): Descriptor {
  const bare: Descriptor = {
    uuid,
    version: FORMAT_VERSION,
    createdAt,
    ids: 'plain',
    features: { read: [], write: [], gc: [] },
  };
  return features.reduce(withFeature, bare);
}

/** True where whoever reads the descriptor is told of a feature. */
export function hasFeature(descriptor: Descriptor, feature: Feature): boolean {
  return FEATURES[feature].every((operation) => descriptor.features[operation].includes(feature));
}

export function withFeature(descriptor: Descriptor, feature: Feature): Descriptor {
  const features = { ...descriptor.features };
  for (const operation of FEATURES[feature]) {
    features[operation] = [...new Set([...features[operation], feature])];
  }
  return { ...descriptor, features };
}

export function encodeDescriptor(descriptor: Descriptor): Buffer {
  const { uuid, version, createdAt, ids, features } = descriptor;
  const content = {
    format: 'holdfast',
    version,
    uuid,
    createdAt,
    ids,
    features: { read: features.read, write: features.write, gc: features.gc },
  };
  return Buffer.from(`${JSON.stringify({ ...content, check: checkOf(content) }, null, 2)}\n`, 'utf8');
}

export function decodeDescriptor(text: Buffer): Descriptor {
  const value = parse(text);
  if (value?.format !== 'holdfast') throw damaged('it does not say that this is a holdfast store');
  const { version } = value;
  if (typeof version !== 'number') throw damaged('its version is missing');
  if (version > FORMAT_VERSION) {
    throw new SnapError(
      'SNAP_FORMAT',
      `this store has format ${version}, this program knows up to ${FORMAT_VERSION}: update holdfast`,
    );
  }
  const { check, ...content } = value;
  if (check !== checkOf(content)) throw damaged('its checksum is wrong');
  const { uuid, createdAt, ids, features } = content;
  if (
    typeof uuid !== 'string' ||
    !/^[0-9a-f]{32}$/.test(uuid) ||
    typeof createdAt !== 'number' ||
    (ids !== 'plain' && ids !== 'keyed') ||
    !isFeatures(features)
  ) {
    throw damaged('a field has a wrong type');
  }
  return { uuid, version, createdAt, ids, features };
}

/** Refuses an operation that needs a feature this program does not know. */
export function checkFeatures(descriptor: Descriptor, operation: StoreOperation): void {
  const unknown = descriptor.features[operation].filter((feature) => !Object.hasOwn(FEATURES, feature));
  if (descriptor.ids !== 'plain') unknown.push(`ids: ${descriptor.ids}`);
  if (unknown.length === 0) return;
  throw new SnapError(
    'SNAP_FORMAT',
    `to ${operation} this store takes features that this program does not know (${unknown.join(', ')}): update holdfast`,
  );
}

function checkOf(content: unknown): string {
  return crc32(Buffer.from(JSON.stringify(content), 'utf8'))
    .toString(16)
    .padStart(8, '0');
}

function parse(text: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isFeatures(value: unknown): value is Descriptor['features'] {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  return (['read', 'write', 'gc'] as const).every(
    (operation) =>
      Array.isArray(record[operation]) && record[operation].every((entry) => typeof entry === 'string'),
  );
}

function damaged(reason: string): SnapError {
  return new SnapError(
    'SNAP_CORRUPT',
    `the store's descriptor (holdfast.json) is damaged: ${reason}; Snap.repair(directory) makes it anew`,
  );
}
