import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { FormError, readBoundary, readForm } from './form.ts'

const caseOf = (name: string) => readFileSync(join(import.meta.dirname, 'cases', name))

/** Reads a form that comes in pieces of `size` bytes. */
async function read(body: string | Buffer, { boundary = 'cut', size = body.length || 1 } = {}) {
  const bytes = Buffer.from(body as string, 'latin1')
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  const parts = []
  for await (const { bytes, ...part } of readForm(Readable.from(pieces), boundary))
    parts.push({ ...part, text: Buffer.concat(await Array.fromAsync(bytes)).toString('latin1') })
  return parts
}

const file = { name: 'file', hasFileName: true, isFileNamed: true, contentType: '', encoding: '' }
const text = { hasFileName: false, isFileNamed: false, contentType: '', encoding: '' }
const form = (newline: string) =>
  [
    'a preamble',
    '--cut',
    'Content-Disposition: form-data; name="a"',
    '',
    'text\n\r--cu\r\n-cut\n',
    '--cut  ',
    'content-disposition: FORM-DATA; filename="x; name=\\"y\\".gif"; name=file',
    'Content-Type: image/gif',
    '',
    '',
    '--cut--',
    'an epilogue',
    '--cut',
    '',
  ].join(newline)

test.each([1, 2, 3, 7, 20, 1000])('reads parts in pieces of %i bytes, with both ends of lines', async (size) => {
  for (const newline of ['\r\n', '\n'])
    expect(await read(form(newline), { size })).toEqual([
      { name: 'a', ...text, text: 'text\n\r--cu\r\n-cut\n' },
      { ...file, contentType: 'image/gif', text: '' },
    ])
})

test('reads forms of real clients: with LF only, with an epilogue', async () => {
  const [png] = await read(caseOf('body_lf_only.bin'), { boundary: 'plinthtest' })
  expect(png).toMatchObject({ name: 'file', hasFileName: true, contentType: 'image/png' })
  expect(png?.text).toMatch(/^\x89PNG.*IEND\xae\x42\x60\x82$/s)
  const whole = Buffer.concat([caseOf('body_epilogue_1.bin'), caseOf('body_epilogue_2.bin')])
  expect(await read(whole, { boundary: 'plinthtest' })).toEqual([png])
})

test.each([
  ['form-data; name="file"; filename="a.png"', file],
  ["form-data; name=file; filename*=UTF-8''a.png", file],
  ['form-data; filename=""; name="file"', { ...file, isFileNamed: false }],
  ['form-data; name=file; filename=""; filename*=UTF-8\'\'a.png', file],
  ['form-data;\r\n name="file";\r\n\tfilename="a.png"', file],
  ['form-data; name="file"', { ...text, name: 'file' }],
  ['form-data; name="fi\\"le"; filename="x', { ...file, name: 'fi"le' }],
  ['form-data', { ...text, name: undefined }],
  ['attachment; name="file"; filename="a.png"', { ...text, name: undefined }],
])('reads the header %s', async (header, part) => {
  expect(await read(`--cut\r\nContent-Disposition: ${header}\r\n\r\nx\r\n--cut--`)).toEqual([{ ...part, text: 'x' }])
})

test('a part without headers has no name, and a form may have no part', async () => {
  expect(await read('--cut\r\n\r\nx\r\n--cut--')).toEqual([{ ...text, name: undefined, text: 'x' }])
  expect(await read('--cut--')).toEqual([])
})

test.each([
  ['\r\n', '\n'],
  ['\n', '\r\n'],
])('the line before the bytes tells the end of lines: %j after boundaries with %j', async (newline, first) => {
  const head = `--cut${first}Content-Disposition: form-data; name="file"; filename="x"${newline}${newline}`
  expect(await read(`${head}a\r\nb${newline}--cut--`)).toEqual([{ ...file, text: 'a\r\nb' }])
})

test('tells an encoding that changes the bytes', async () => {
  const encodings = []
  for (const encoding of ['Base64', 'quoted-printable', 'binary', '8bit']) {
    const [part] = await read(`--cut\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\nx\r\n--cut--`)
    encodings.push(part?.encoding)
  }
  expect(encodings).toEqual(['base64', 'quoted-printable', '', ''])
})

test('the boundary may have letters of Latin-1', async () => {
  const parts = readForm(Readable.from([Buffer.from('--\xfc\r\n\r\nx\r\n--\xfc--', 'latin1')]), '\xfc')
  expect((await Array.fromAsync(parts)).length).toBe(1)
})

test('skips the contents of parts that are not read', async () => {
  const names = []
  for await (const { name } of readForm(Readable.from([Buffer.from(form('\r\n'))]), 'cut')) names.push(name)
  expect(names).toEqual(['a', 'file'])
})

test.each([
  ['no boundary', 'no form'],
  ['nothing', ''],
  ['no end', '--cut\r\n\r\nx'],
  ['half an end', '--cut\r\n\r\nx\r\n--cut-'],
  ['a headless end', '--cut\r\nContent-Disposition: form-data'],
  ['text behind a boundary', '--cut\r\n\r\nx\r\n--cutter\r\n\r\n'],
  ['too long a header', `--cut\r\n${'x'.repeat(70_000)}`],
  ['too many headers', `--cut\r\n${'x: y\r\n'.repeat(20_000)}`],
])('refuses a body with %s', async (_what, body) => {
  await expect(read(body, { size: 1000 })).rejects.toThrow(FormError)
})

test('finds the boundary in a content type', () => {
  expect(readBoundary('multipart/form-data; boundary=cut')).toBe('cut')
  expect(readBoundary('multipart/form-data; boundary = "cut"')).toBe('cut')
  expect(readBoundary('Multipart/Form-Data;charset=utf-8;Boundary="a b;c"; x=y')).toBe('a b;c')
  for (const wrong of ['', 'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/mixed; boundary=cut'])
    expect(readBoundary(wrong)).toBeUndefined()
})
