/** In what form a snapshot is exported. */

export const FORMATS = ['npy', 'npz', 'raw'] as const;
export type Format = (typeof FORMATS)[number];

/** What `npz` puts all arrays in. */
export const ARCHIVE = 'arrays.npz';
/** Of one array, be it a file or an entry of the archive. */
export const EXTENSION: Record<Format, string> = { npy: '.npy', npz: '.npy', raw: '.bin' };

/** The document of every export: the state without its arrays. */
export const DOCUMENT = 'state.json';
/** How a document says that it is one. */
export const FORMAT = 'holdfast export 1';
