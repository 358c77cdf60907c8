const ends = 0x49454e44 // IEND
const texts = new Set([0x74455874, 0x7a545874, 0x69545874]) // tEXt, zTXt, iTXt

/**
 * Passes a PNG on without its text chunks, in which programs hide a whole character card, and without bytes after its end.
 * All other chunks are unchanged. From its first fault on, an invalid PNG passes unchanged.
 */
export async function* withoutText(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0)
  // The signature passes like a chunk.
  let chunk = { left: 8, isKept: true, isLast: false }
  let isOver = false
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
        // Length and type before the data, a checksum after it.
        const isKept = !texts.has(type)
        if (chunk.isKept && !isKept) kept.push(data.subarray(keptFrom, at))
        if (!chunk.isKept && isKept) keptFrom = at
        chunk = { left: data.readUInt32BE(at) + 12, isKept, isLast: type === ends }
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
    if (kept.length > 0) yield kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept)
  }
  if (pending.length > 0) yield pending
}
