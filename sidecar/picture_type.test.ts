import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readPictureType } from './picture_type.ts'

/** A box `ftyp` with its brands, and the beginning of the next box. */
function media(...brands: string[]): Buffer {
  const [major = '', ...others] = brands
  const box = Buffer.from(`0000ftyp${major}0000${others.join('')}`)
  box.writeUInt32BE(box.length, 0)
  box.writeUInt32BE(0, 12)
  return Buffer.concat([box, Buffer.from('\0\0\0\x10metaavif')])
}

test.each([
  ['avif', 'mif1'],
  ['mif1', 'avif', 'miaf'],
  ['msf1', 'avis'],
  ['mif1', 'heic', 'avif'],
  ['avis', 'msf1', 'iso8'],
])('is AVIF if any brand is: %s %s %s', async (...brands) => {
  expect(await readPictureType(media(...brands.filter(Boolean)))).toBe('image/avif')
})

test.each([
  ['heic', 'mif1', 'image/heic'],
  ['heix', 'mif1', 'image/heic'],
  ['mif1', 'heic', 'image/heif'],
  ['msf1', 'hevc', 'image/heif-sequence'],
  ['heim', 'mif1', 'image/heic'],
  ['hevm', 'isom', 'image/heic'],
  ['mp42', 'isom', 'video/mp4'],
])('is another type without such a brand: %s %s', async (major, other, type) => {
  expect(await readPictureType(media(major, other))).toBe(type)
})

test('is AVIF in a real header, and nothing in a broken one', async () => {
  const header = readFileSync(join(import.meta.dirname, 'cases/avif_header_major_brand_mif1.avif'))
  expect(await readPictureType(header)).toBe('image/avif')
  for (let length = 0; length < 20; length++)
    expect(await readPictureType(header.subarray(0, length))).not.toBe('image/avif')
  expect(await readPictureType(Buffer.from('\0\0\0\0ftypavif'))).toBe('image/avif')
})
