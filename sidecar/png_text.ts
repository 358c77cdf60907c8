const ends = 0x49454e44 // IEND
const pictures = new Set([0x49484452, 0x504c5445, 0x49444154, 0x66644154, ends]) // IHDR, PLTE, IDAT, fdAT
const texts = new Set([0x74455874, 0x7a545874, 0x69545874]) // tEXt, zTXt, iTXt

/**
 * Passes a PNG on without its text chunks, in which programs hide a whole character card, and without bytes after its end.
 * All other chunks are unchanged. The result ends before a chunk that no decoder can read, because the rest could hide a card.
 *
 * `size` is the length of the file. A chunk must not claim more bytes than the file has.
 */
export async function* withoutText(
  source: AsyncIterable<Buffer>,
  size = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0)
  // The signature passes like a chunk.
  let chunk = { left: 8, isKept: true, isLast: false }
  let isOver = false
  /** The position of `data` in the file. */
  let position = 0
  for await (const bytes of source) {
    if (isOver) continue
    const data = pending.length > 0 ? Buffer.concat([pending, bytes]) : bytes
    pending = Buffer.alloc(0)
    const kept: Buffer[] = []
    let keptFrom = 0
    let at = 0
    while (at < data.length) {
      if (chunk.left === 0) {
        if (data.length - at < 8) break
        const type = data.readUInt32BE(at + 4)
        const length = data.readUInt32BE(at) + 12
        if (isBroken(type, length, size - position - at)) {
          isOver = true
          break
        }
        // Length and type before the data, a checksum after it.
        const isKept = !texts.has(type)
        if (chunk.isKept && !isKept) kept.push(data.subarray(keptFrom, at))
        if (!chunk.isKept && isKept) keptFrom = at
        chunk = { left: length, isKept, isLast: type === ends }
      }
      const length = Math.min(chunk.left, data.length - at)
      chunk.left -= length
      at += length
      if (chunk.left === 0 && chunk.isLast) {
        isOver = true
        break
      }
    }
    if (chunk.isKept) kept.push(data.subarray(keptFrom, at))
    if (!isOver) pending = Buffer.from(data.subarray(at))
    position += at
    if (kept.length > 0) yield kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept)
  }
  if (pending.length > 0) yield pending
}

/** Whether a chunk has no valid length or type, or fewer bytes than it claims. A chunk of the picture itself may be cut off. */
function isBroken(type: number, length: number, left: number): boolean {
  if (length > 0x8000_000b || (length > left && !pictures.has(type))) return true
  for (let shift = 0; shift < 32; shift += 8) {
    const letter = (type >>> shift) & 0xdf
    if (letter < 0x41 || letter > 0x5a) return true
  }
  return false
}
