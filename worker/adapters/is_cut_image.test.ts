import { expect, test } from 'vitest'
import { makePng } from '../../scripts/local/gemini.ts'
import { isCutImage } from './is_cut_image.ts'

const segment = (marker: number, data: Buffer) => {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(data.length + 2, 2)
  return Buffer.concat([head, data])
}
const end = Buffer.from([0xff, 0xd9])
/** A JPEG whose first segment holds a preview with an end of its own. */
const jpeg = Buffer.concat([
  Buffer.from([0xff, 0xd8]),
  segment(0xe1, Buffer.concat([Buffer.from('Exif preview'), end])),
  segment(0xda, Buffer.from([1, 2, 3])),
  Buffer.from('data of the scan'),
  end,
])
const webp = Buffer.concat([Buffer.from('RIFF'), Buffer.from([16, 0, 0, 0]), Buffer.from('WEBPVP8 12345678')])

test.each([
  ['image/png', makePng('a hat')],
  ['image/jpeg', jpeg],
  ['image/webp', webp],
])('finds each missing end of %s', (mimeType, whole) => {
  expect(isCutImage(whole, mimeType)).toBe(false)
  for (let length = 4; length < whole.length - 4; length++) {
    expect([length, isCutImage(whole.subarray(0, length), mimeType)]).toEqual([length, true])
  }
})

test('accepts bytes after the end, and images of other types', () => {
  expect(isCutImage(Buffer.concat([makePng('a hat'), Buffer.from('more')]), 'image/png')).toBe(false)
  expect(isCutImage(Buffer.concat([jpeg, Buffer.from('more')]), 'image/jpeg')).toBe(false)
  expect(isCutImage(Buffer.from('GIF89a'), 'image/gif')).toBe(false)
})
