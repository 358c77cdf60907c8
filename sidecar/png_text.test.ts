import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import { withoutText } from './png_text.ts'

const card = readFileSync(join(import.meta.dirname, 'cases/tavern_card_text_before_idat.png'))

async function clean(bytes: Buffer, size = bytes.length): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return Buffer.concat(await Array.fromAsync(withoutText(Readable.from(pieces), bytes.length)))
}

/** A chunk with a wrong checksum, which this code does not read. */
function chunk(type: string, data = ''): Buffer {
  const bytes = Buffer.from(`0000${type}${data}sum!`)
  bytes.writeUInt32BE(data.length, 0)
  return bytes
}
const signature = Buffer.from('89504e470d0a1a0a', 'hex')
const file = (...chunks: Buffer[]) => Buffer.concat([signature, ...chunks])

test('removes the card from the picture of a card, and no pixel', async () => {
  expect(String(card)).toContain('chara')
  const cleaned = await clean(card)
  expect(cleaned.length).toBeLessThan(200)
  expect(String(cleaned)).not.toContain('chara')
  expect(PNG.sync.read(cleaned).data).toEqual(PNG.sync.read(card).data)
})

test('removes the three kinds of text wherever they stand, and bytes after the end', async () => {
  const [head, pixels, photo, end] = [
    chunk('IHDR', 'x'.repeat(13)),
    chunk('IDAT', 'p'),
    chunk('eXIf', 'e'),
    chunk('IEND'),
  ]
  const texts = [chunk('tEXt', 'chara\0secret'), chunk('zTXt'), chunk('iTXt', 'secret')]
  const dirty = file(head, ...texts, photo, pixels, ...texts, pixels, end, Buffer.from('secret'), ...texts)
  const expected = file(head, photo, pixels, pixels, end)
  // However the bytes come in.
  for (const size of [1, 2, 7, 8, 9, 20, dirty.length])
    expect((await clean(dirty, size)).equals(expected), `pieces of ${size}`).toBe(true)
})

test('keeps a picture without text as it is', async () => {
  const picture = new PNG({ width: 20, height: 10 })
  const bytes = PNG.sync.write(picture)
  for (const size of [1, 50, bytes.length]) expect((await clean(bytes, size)).equals(bytes)).toBe(true)
})

test('ends a picture at a chunk that no decoder can read, because the rest could hide a card', async () => {
  const [head, card] = [file(chunk('IHDR', 'x'.repeat(13)), chunk('IDAT', 'pixels')), chunk('tEXt', 'secret')]
  const [tooLong, longerThanFile] = [chunk('abCd'), chunk('abCd')]
  tooLong.writeUInt32BE(2 ** 31)
  longerThanFile.writeUInt32BE(1000)
  for (const broken of [tooLong, longerThanFile, chunk('\0\0\0\0')])
    for (const size of [1, 7, 1000])
      expect((await clean(Buffer.concat([head, broken, card]), size)).equals(head)).toBe(true)
  const half = Buffer.concat([head, chunk('IDAT', 'x'.repeat(100)).subarray(0, 50)])
  expect((await clean(half)).equals(half)).toBe(true)
})

test('passes a broken file on, except for text', async () => {
  for (const bytes of [signature, file(Buffer.from('abc')), file(chunk('IHDR').subarray(0, 9)), Buffer.alloc(3)])
    expect((await clean(bytes, 2)).equals(bytes)).toBe(true)
  const cut = chunk('tEXt', 'secret').subarray(0, -7)
  expect((await clean(file(chunk('IHDR'), cut))).equals(file(chunk('IHDR')))).toBe(true)
})
