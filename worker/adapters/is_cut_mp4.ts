/**
 * Whether the last box of an MP4 reaches beyond its end, because a connection ended early. A server that announces a wrong
 * length, or none, hides this. Bytes that are no boxes are not judged.
 */
export function isCutMp4(bytes: Buffer): boolean {
  let at = 0
  while (at + 16 <= bytes.length) {
    const short = bytes.readUInt32BE(at)
    // 0: up to the end of the file; 1: the size follows in 64 bits.
    const size = short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short
    if (size < 8) return false
    at += size
  }
  return at > bytes.length
}
