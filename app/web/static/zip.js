/** A ZIP of files, uncompressed: pictures are compressed already. */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Little-endian numbers in one buffer: [[size in bytes, value], ...]. */
function packed(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let place = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(place, value, true);
    else view.setUint32(place, value, true);
    place += size;
  }
  return view.buffer;
}

const UTF8 = 0x0800;
/** Without ZIP64, offsets and counts end here. */
const MAX_BYTES = 0xffffffff;
const MAX_FILES = 0xffff;

/**
 * A ZIP as a Blob of files [{name, file}]. `onprogress` gets the share that is read. Throws a RangeError for what
 * does not fit into one ZIP, a DOMException for a file that cannot be read, or when `signal` stops it.
 */
export async function zipOf(entries, onprogress, signal) {
  if (entries.length > MAX_FILES) throw new RangeError(`At most ${MAX_FILES} files at a time.`);
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [index, { name, file }] of entries.entries()) {
    signal.throwIfAborted();
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    const encoded = new TextEncoder().encode(name);
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, 0x21], [4, crc], [4, file.size], [4, file.size], [2, encoded.length], [2, 0]];
    const header = packed([[4, 0x04034b50], ...common]);
    directory.push(packed([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), encoded);
    parts.push(header, encoded, file);
    offset += header.byteLength + encoded.length + file.size;
    if (offset > MAX_BYTES) throw new RangeError("At most 4 GB at a time: send a ZIP, or fewer files.");
    onprogress((index + 1) / entries.length);
  }
  const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const end = packed([[4, 0x06054b50], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, size], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
