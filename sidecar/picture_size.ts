import type { Spooled } from './spool.ts'

type Picture = Pick<Spooled, 'head' | 'read'>

/**
 * Returns how many pixels a picture has, or null if the file does not say, because it is broken. Decoding needs about four
 * bytes for each pixel, and a small file can claim more than Postgres can count.
 */
export async function countPixels(file: Picture, mimeType: string): Promise<number | null> {
  const pixels = await multiply(file, mimeType)
  return pixels === null ? null : Math.min(pixels, Number.MAX_SAFE_INTEGER)
}

async function multiply(file: Picture, mimeType: string): Promise<number | null> {
  const { head } = file
  switch (mimeType) {
    case 'image/png':
    case 'image/apng':
      return head.toString('latin1', 12, 16) === 'IHDR' && head.length >= 24
        ? head.readUInt32BE(16) * head.readUInt32BE(20)
        : null
    case 'image/gif':
      return countGif(head)
    case 'image/webp':
      return countWebp(head)
    case 'image/avif':
      return countAvif(file)
    case 'image/jpeg':
      return countJpeg(file)
    default:
      return null
  }
}

/** Reads the size of the canvas and of the first frame, which browsers let extend the canvas. */
function countGif(head: Buffer): number | null {
  if (head.length < 13) return null
  const [canvasWidth, canvasHeight] = [head.readUInt16LE(6), head.readUInt16LE(8)]
  const flags = head[10] ?? 0
  let at = 13 + (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0)
  // Extensions: a label, then blocks with their lengths.
  while (head[at] === 0x21) {
    at += 2
    while (head[at]) at += 1 + (head[at] ?? 0)
    at += 1
    // A comment is longer than what was read.
    if (at >= head.length) return canvasWidth * canvasHeight
  }
  if (head[at] !== 0x2c || at + 11 > head.length) return null
  const frame = [0, 2, 4, 6].map((offset) => head.readUInt16LE(at + 1 + offset)) as [number, number, number, number]
  const table = head[at + 9] ?? 0
  const codeSize = head[at + 10 + (table & 0x80 ? 3 << ((table & 7) + 1) : 0)] ?? 0
  // Without a valid frame there is nothing to decode.
  if (codeSize < 1 || codeSize > 11) return null
  return Math.max(canvasWidth, frame[0] + frame[2]) * Math.max(canvasHeight, frame[1] + frame[3])
}

function countWebp(head: Buffer): number | null {
  if (head.length < 30) return null
  switch (head.toString('latin1', 12, 16)) {
    case 'VP8X':
      return (head.readUIntLE(24, 3) + 1) * (head.readUIntLE(27, 3) + 1)
    case 'VP8L': {
      const bits = head.readUInt32LE(21)
      return ((bits & 0x3fff) + 1) * (((bits >>> 14) & 0x3fff) + 1)
    }
    case 'VP8 ':
      return (head.readUInt16LE(26) & 0x3fff) * (head.readUInt16LE(28) & 0x3fff)
    default:
      return null
  }
}

/**
 * Reads all properties `ispe` (image spatial extents): of the picture, of its tiles and its thumbnail. These properties
 * are near the beginning, or in a box `meta` after other boxes.
 */
async function countAvif(file: Picture): Promise<number | null> {
  const most = readExtents(await file.read(0, 262_144))
  for (let at = 0; ; ) {
    const box = await file.read(at, 16)
    if (box.length < 16) return most
    if (box.toString('latin1', 4, 8) === 'meta') {
      const found = readExtents(await file.read(at, 262_144))
      return found === null ? most : Math.max(most ?? 0, found)
    }
    // A length of 1 is followed by one of 64 bits; a length of 0 reaches to the end.
    const length = box.readUInt32BE(0) === 1 ? Number(box.readBigUInt64BE(8)) : box.readUInt32BE(0)
    if (length < 8) return most
    at += length
  }
}

function readExtents(bytes: Buffer): number | null {
  let most: number | null = null
  for (let at = bytes.indexOf('ispe'); at >= 0 && at + 16 <= bytes.length; at = bytes.indexOf('ispe', at + 4))
    most = Math.max(most ?? 0, bytes.readUInt32BE(at + 8) * bytes.readUInt32BE(at + 12))
  return most
}

/** Follows the segments to the header of the frame. A large profile or preview may stand before it. */
async function countJpeg(file: Picture): Promise<number | null> {
  let start = 0
  let bytes = file.head
  for (let at = 2; ; ) {
    if (at + 9 > start + bytes.length) {
      start = at
      bytes = await file.read(start, 65_536)
      if (bytes.length < 9) return null
    }
    const here = at - start
    const marker = bytes[here + 1] ?? 0
    if (bytes[here] !== 0xff) {
      // Decoders skip bytes between segments.
      const next = bytes.indexOf(0xff, here)
      at = start + (next < 0 ? bytes.length : next)
      continue
    }
    // Fill bytes, and markers without a length.
    if (marker === 0xff) at += 1
    else if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return bytes.readUInt16BE(here + 5) * bytes.readUInt16BE(here + 7)
    else if (marker === 0xda || marker === 0xd9) return null
    else at += 2 + Math.max(2, bytes.readUInt16BE(here + 2))
  }
}
