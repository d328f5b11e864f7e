// a zip file without compression: pictures are compressed already
const CRC = Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});
const checksum = (bytes) => {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
};
const numbers = (...pairs) => {
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of pairs) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return view;
};

/** An archive of files, each with a name and a content. */
const zip = async (files) => {
  const parts = [];
  const list = [];
  let offset = 0;
  let listed = 0;
  const all = await Promise.all(files.map((file) => file.content.arrayBuffer()));
  for (const [index, { name }] of files.entries()) {
    const bytes = new Uint8Array(all[index]);
    const title = new TextEncoder().encode(name);
    const size = bytes.length;
    const shared = [[2, 20], [2, 0x0800], [2, 0], [2, 0], [2, 0x21], [4, checksum(bytes)]];
    const sizes = [[4, size], [4, size], [2, title.length], [2, 0]];
    parts.push(numbers([4, 0x04034b50], ...shared, ...sizes), title, bytes);
    const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]];
    list.push(numbers([4, 0x02014b50], [2, 20], ...shared, ...sizes, ...rest), title);
    offset += 30 + title.length + size;
    listed += 46 + title.length;
  }
  const count = files.length;
  const end = [[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, listed], [4, offset], [2, 0]];
  return new Blob([...parts, ...list, numbers(...end)], { type: "application/zip" });
};
window.varStudio = { ...window.varStudio, zip };
