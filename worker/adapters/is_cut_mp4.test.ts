import { expect, test } from 'vitest'
import { isCutMp4 } from './is_cut_mp4.ts'

const box = (type: string, bytes: number, size = bytes) => {
  const header = Buffer.alloc(bytes)
  header.writeUInt32BE(size)
  header.write(type, 4, 'latin1')
  return header
}
const large = box('mdat', 100, 1)
large.writeBigUInt64BE(100n, 8)
const video = Buffer.concat([box('ftyp', 28), box('moov', 60), large])

test('finds that an MP4 is cut off in any of its boxes', () => {
  expect(isCutMp4(video)).toBe(false)
  for (const length of [27, 60, 87, 150, 187]) expect(isCutMp4(video.subarray(0, length)), `${length}`).toBe(true)
})

test.each([
  ['a last box up to the end', Buffer.concat([box('ftyp', 28), box('mdat', 100, 0)])],
  ['zeros at its end', Buffer.concat([video, Buffer.alloc(40)])],
  ['a short rest', Buffer.concat([video, Buffer.alloc(3)])],
  ['nothing', Buffer.alloc(0)],
])('accepts an MP4 with %s', (_what, bytes) => {
  expect(isCutMp4(bytes)).toBe(false)
})
