/**
 * Whether a PNG, JPEG or WebP lacks its end, because an answer ended early: its first bytes still look like an image. Images of
 * other types count as complete.
 */
export function isCutImage(bytes: Buffer, mimeType: string): boolean {
  switch (mimeType) {
    case 'image/png':
      return !hasPngEnd(bytes)
    case 'image/jpeg':
      return !hasJpegEnd(bytes)
    case 'image/webp':
      return bytes.length < 8 || bytes.length < bytes.readUInt32LE(4) + 8
    default:
      return false
  }
}

/** A PNG is a list of chunks: length, type, data and checksum. The last one is IEND. */
function hasPngEnd(bytes: Buffer): boolean {
  for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    if (bytes.toString('latin1', at + 4, at + 8) === 'IEND') return true
  }
  return false
}

/**
 * A JPEG is a list of segments up to the first scan. A preview among these segments may have an end of its own; a scan has no
 * end mark among its data.
 */
function hasJpegEnd(bytes: Buffer): boolean {
  let at = 2
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== startOfScan) {
    at += bytes[at + 1] === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2)
  }
  return bytes.indexOf(endOfImage, at) !== -1
}

const startOfScan = 0xda
const endOfImage = Buffer.from([0xff, 0xd9])
