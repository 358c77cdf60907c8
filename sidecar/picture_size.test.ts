import { expect, test } from 'vitest'
import { someGif } from '../scripts/testing/sidecar.ts'
import { countPixels } from './picture_size.ts'

/** Counts the pixels of a file in memory. */
function count(bytes: Buffer, mimeType: string): Promise<number | null> {
  const head = bytes.subarray(0, 4100)
  const read = async (position: number, length: number) => bytes.subarray(position, position + length)
  return countPixels({ head, read }, mimeType)
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const zeros = (length: number) => Buffer.alloc(length)
const png = hex('89504e470d0a1a0a 0000000d 49484452 0000c350 0000c350 08060000 00')
const frame = '2c 0000 0000 0200 0300 00 02 02 4c01 00 3b'
const comment = (length: number) =>
  Buffer.concat([
    hex('21fe'),
    ...Array(length / 255).fill(Buffer.concat([hex('ff'), Buffer.alloc(255, 'x')])),
    hex('00'),
  ])
const gif = (canvas: string, ...rest: Buffer[]) =>
  Buffer.concat([Buffer.from('GIF89a'), hex(`${canvas} 80 00 00 000000 ffffff`), ...rest])
const segment = (marker: string, length: number) => {
  const head = Buffer.concat([hex(`ff${marker}`), zeros(2)])
  head.writeUInt16BE(length + 2, 2)
  return Buffer.concat([head, Buffer.alloc(length, 7)])
}
const jpeg = (...before: Buffer[]) =>
  Buffer.concat([hex('ffd8'), ...before, hex('ffc2 0011 08 4e20 7530 03'), zeros(20)])
const webp = (chunk: string, data: string) =>
  Buffer.concat([Buffer.from('RIFF'), zeros(4), Buffer.from(`WEBP${chunk}`), hex('0a000000'), hex(data), zeros(20)])
const box = (type: string, content: Buffer) => {
  const bytes = Buffer.concat([zeros(4), Buffer.from(type), content])
  bytes.writeUInt32BE(bytes.length)
  return bytes
}
const ispe = (size: string) => Buffer.concat([hex('00000014'), Buffer.from('ispe'), hex(`00000000 ${size}`)])

test.each<[string, Buffer, string, number]>([
  ['a PNG', png, 'image/png', 2_500_000_000],
  ['a GIF by its canvas', gif('ffff ffff', hex(frame)), 'image/gif', 65_535 ** 2],
  ['a GIF by its frame', gif('0100 0100', hex(frame)), 'image/gif', 6],
  [
    'a GIF with an extension of an unknown kind',
    gif('ffff ffff', hex(`2142 01 00 00 ${frame}`)),
    'image/gif',
    65_535 ** 2,
  ],
  ['a GIF with reserved bits', gif('ffff ffff', hex(frame.replace('00 02 02', '18 02 02'))), 'image/gif', 65_535 ** 2],
  ['a GIF with a comment', gif('e803 e803', comment(510), hex(frame)), 'image/gif', 1_000_000],
  ['a GIF with a long comment', gif('ffff ffff', comment(255 * 30), hex(frame)), 'image/gif', 65_535 ** 2],
  ['a JPEG', jpeg(), 'image/jpeg', 600_000_000],
  [
    'a JPEG with bytes between its segments',
    jpeg(segment('e0', 14), hex('0000 ff00'), zeros(70_000)),
    'image/jpeg',
    600_000_000,
  ],
  ['a JPEG with fill bytes', jpeg(hex('ffff'), segment('e0', 14)), 'image/jpeg', 600_000_000],
  [
    'a JPEG with profiles of 300 KB',
    jpeg(...Array.from({ length: 5 }, () => segment('e2', 60_000))),
    'image/jpeg',
    600_000_000,
  ],
  ['a lossy WebP', webp('VP8 ', '000000 9d012a ff3f ff3f'), 'image/webp', 16_383 ** 2],
  ['a lossless WebP', webp('VP8L', '2f ffffff0f'), 'image/webp', 16_384 ** 2],
  ['an extended WebP', webp('VP8X', '00000000 ffff00 ffff00'), 'image/webp', 65_536 ** 2],
  [
    'an AVIF by its largest picture',
    Buffer.concat([zeros(32), ispe('00000010 00000010'), ispe('0000ffff 0000ffff')]),
    'image/avif',
    65_535 ** 2,
  ],
  [
    'an AVIF whose sizes stand behind 300 KB',
    Buffer.concat([box('ftyp', zeros(8)), box('free', zeros(300_000)), box('meta', ispe('0000ffff 0000ffff'))]),
    'image/avif',
    65_535 ** 2,
  ],
  [
    'a picture with more pixels than Postgres can count',
    Buffer.concat([png.subarray(0, 16), Buffer.alloc(8, 0xff), png.subarray(24)]),
    'image/png',
    Number.MAX_SAFE_INTEGER,
  ],
])('counts the pixels of %s', async (_what, bytes, mimeType, pixels) => {
  expect(await count(bytes, mimeType)).toBe(pixels)
})

test.each<[string, Buffer, string]>([
  ['a PNG that begins with another chunk', hex('89504e470d0a1a0a 00000001 62616161 00'), 'image/png'],
  ['half a PNG', png.subarray(0, 20), 'image/png'],
  ['a GIF without a frame', gif('ffff ffff', hex('3b')), 'image/gif'],
  ['half a GIF', Buffer.from('GIF89a'), 'image/gif'],
  ['a JPEG without a frame', Buffer.concat([hex('ffd8'), segment('e0', 14)]), 'image/jpeg'],
  ['a JPEG that is not one', Buffer.concat([hex('ffd8'), zeros(100)]), 'image/jpeg'],
  ['an unknown WebP', webp('XXXX', ''), 'image/webp'],
  ['an AVIF without a size', zeros(100), 'image/avif'],
  ['another type', zeros(100), 'image/bmp'],
])('does not know the pixels of %s', async (_what, bytes, mimeType) => {
  expect(await count(bytes, mimeType)).toBeNull()
})

test('never fails, whatever the bytes are', async () => {
  const types = ['image/png', 'image/gif', 'image/webp', 'image/avif', 'image/jpeg']
  for (const mimeType of types)
    for (const bytes of [zeros(0), jpeg(), png, gif('ffff ffff', hex(frame))])
      for (let length = 0; length < bytes.length; length += 3) await count(bytes.subarray(0, length), mimeType)
  for (let n = 0; n < 200; n++) await count(someGif(2000), types[n % 5] as string)
})
