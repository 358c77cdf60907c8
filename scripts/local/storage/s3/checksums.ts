import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** A running checksum of a body. */
export type Checksum = { update(chunk: Buffer): void; base64(): string }

/** The checksums that clients send with a body, by the names of their headers. */
export const checksums: Record<string, (() => Checksum) | undefined> = {
  'x-amz-checksum-crc32': () => running32(0, (chunk, value) => crc32(chunk, value)),
  'x-amz-checksum-crc32c': () => running32(0, crc32c),
  'x-amz-checksum-crc64nvme': crc64nvme,
  'x-amz-checksum-sha1': () => hash('sha1'),
  'x-amz-checksum-sha256': () => hash('sha256'),
  'content-md5': () => hash('md5'),
}

function hash(algorithm: string): Checksum {
  const hash = createHash(algorithm)
  return { update: (chunk) => void hash.update(chunk), base64: () => hash.digest('base64') }
}

function running32(start: number, next: (chunk: Buffer, value: number) => number): Checksum {
  let value = start
  return {
    update(chunk) {
      value = next(chunk, value)
    },
    base64() {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value >>> 0)
      return bytes.toString('base64')
    },
  }
}

/** The table of the Castagnoli polynomial, in reversed bits. */
const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

function crc32c(chunk: Buffer, start: number): number {
  let value = ~start
  for (const byte of chunk) value = (value >>> 8) ^ (castagnoli[(value ^ byte) & 255] ?? 0)
  return ~value
}

/** The table of the NVMe polynomial, in reversed bits: the upper halves, then the lower ones. */
const nvme = (() => {
  const halves = [new Uint32Array(256), new Uint32Array(256)] as const
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n
    halves[0][byte] = Number(value >> 32n)
    halves[1][byte] = Number(value & 0xffffffffn)
  }
  return halves
})()

function crc64nvme(): Checksum {
  let [high, low] = [0xffffffff, 0xffffffff]
  return {
    update(chunk) {
      for (const byte of chunk) {
        const index = (low ^ byte) & 255
        low = ((low >>> 8) | (high << 24)) ^ (nvme[1][index] ?? 0)
        high = (high >>> 8) ^ (nvme[0][index] ?? 0)
      }
    },
    base64() {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32BE(~high >>> 0, 0)
      bytes.writeUInt32BE(~low >>> 0, 4)
      return bytes.toString('base64')
    },
  }
}
