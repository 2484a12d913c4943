/**
 * Owns the byte values of the skeleton encoding, shared by its writer and its reader.
 *
 * Invariants
 *  - a value here is part of the format: never renumber, only add (and then raise SKELETON_VERSION if an
 *    older reader would misread instead of refusing)
 *  - 0x00 is no tag, so that a run of zero bytes is damage and never a value
 *
 * docs/skeleton.md is the normative description.
 */

/** "hfs": first bytes of every skeleton. */
export const MAGIC_0 = 0x68;
export const MAGIC_1 = 0x66;
export const MAGIC_2 = 0x73;
export const SKELETON_VERSION = 1;
/** Magic and version. */
export const HEADER_BYTES = 3 + 1;
/** Length of the region table, a little-endian u32 at the very end. */
export const FOOTER_BYTES = 4;

// Primitives.
export const T_UNDEFINED = 0x01;
export const T_NULL = 0x02;
export const T_TRUE = 0x03;
export const T_FALSE = 0x04;
export const T_INT32 = 0x05;
export const T_FLOAT64 = 0x06;
export const T_BIGINT_POSITIVE = 0x07;
export const T_BIGINT_NEGATIVE = 0x08;
export const T_HOLES = 0x09;
export const T_LATIN1 = 0x0a;
export const T_UTF8 = 0x0b;
export const T_UTF16 = 0x0c;
export const T_DEFINE_STRING = 0x0d;
export const T_RECALL_STRING = 0x0e;
export const T_SYMBOL = 0x0f;

/** An object met before, by how many ordinals ago it was numbered. */
export const T_REF = 0x10;

// Nodes: each takes the next ordinal at its tag.
export const T_OBJECT = 0x20;
export const T_NULL_OBJECT = 0x21;
export const T_DICT = 0x22;
export const T_NULL_DICT = 0x23;
export const T_ARRAY = 0x24;
export const T_INT32_LIST = 0x25;
export const T_FLOAT64_LIST = 0x26;
export const T_MAP = 0x27;
export const T_SET = 0x28;
export const T_DATE = 0x29;
export const T_REGEXP = 0x2a;
export const T_BOXED = 0x2b;
export const T_ERROR = 0x2c;
export const T_VIEW = 0x2d;
export const T_BYTES = 0x2e;
export const T_REGION = 0x2f;
export const T_MEMORY = 0x30;
/** What `static [Snap.encode]` returned; only after T_INSTANCE. */
export const T_ENCODED = 0x31;

// Prefixes of a node.
export const T_INSTANCE = 0x38;
export const T_EXTRA = 0x39;

/** Bits of a buffer's flags, inline and in the region table. */
export const BUFFER_SHARED = 1;
export const BUFFER_RESIZABLE = 2;
/** Region table only: the buffer of a WebAssembly.Memory. */
export const BUFFER_MEMORY = 4;

/** Bit of a view's flags: its length follows its buffer's. */
export const VIEW_TRACKING = 1;

/** Slots of the two tables (strings, shapes). A slot may be defined again; the last definition holds. */
export const TABLE_SLOTS = 4096;
/** Set in a shape's slot number where its keys follow. */
export const SHAPE_DEFINED = 0x8000;

/** Strings of these lengths go through the string table: shorter ones are cheaper written out. */
export const TABLE_STRING_MIN = 3;
export const TABLE_STRING_MAX = 32;

/** Objects with more keys are written as a dictionary, not as an instance of a shape. */
export const SHAPE_KEYS_MAX = 64;
/** Arrays of only numbers from this length on are written raw. */
export const LIST_LENGTH_MIN = 16;

export const WASM_PAGE_BYTES = 65536;
