/**
 * Whether an MP4 lacks its end, because a connection ended early: its last box has fewer bytes than the box says. The length
 * of the answer does not show this if the server sends a wrong length or none. Bytes that are not boxes count as complete.
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
