import { expect, test } from 'vitest'
import { findJson } from './find_json.ts'

const good = { text: 'a', prompt: 'b' }
const json = JSON.stringify(good)
const find = (text: string) =>
  findJson(text, (value) => ('prompt' in (value as object) ? (value as typeof good) : undefined))

test.each([
  ['a byte order mark before', `\ufeff${json}`],
  ['a string of JSON', JSON.stringify(json)],
  ['a string of JSON in a string of JSON', JSON.stringify(JSON.stringify(json))],
  ['a string of JSON in a fence', `\`\`\`json\n${JSON.stringify(json)}\n\`\`\``],
  ['a fence with another language', `\`\`\`JSON5\n${json}\n\`\`\``],
  ['a fence of tildes', `~~~\n${json}\n~~~`],
  ['several fences', `\`\`\`python\nd = {"a": [1]}\n\`\`\`\nthen\n\`\`\`json\n${json}\n\`\`\``],
  ['prose with brackets and quotes', `He said "{ and } [ it's". So: ${json} done }`],
  ['an unclosed quote in an unclosed bracket', `Use {"x: here. ${json}`],
  ['a list of answers', `[${json},${json}]`],
  ['megabytes of prose', `${'word '.repeat(1e6)}${json}`],
])('finds the value in %s', (_what, text) => {
  expect(find(text)).toEqual(good)
})

test.each([
  ['a trailing comma', json.replace('}', ',}')],
  ['single quotes', json.replaceAll('"', "'")],
  ['a comment', json.replace('{', '{ // c\n')],
  ['NaN', json.replace('"a"', 'NaN')],
  ['a raw line break in a text', json.replace('"a"', '"a\nb"')],
  ['a number', '7'],
  ['nothing', ''],
])('finds no value in %s', (_what, text) => {
  expect(find(text)).toBeUndefined()
})

test('returns texts without U+0000 and half surrogate pairs, which Postgres cannot store', () => {
  expect(find('{"text":"\\u0000x\\ud83d","prompt":"\\ud83d\\ude00"}')).toEqual({ text: 'x\ufffd', prompt: '😀' })
  expect(find('{"text":"x\ud83d","prompt":""}')).toEqual({ text: 'x\ufffd', prompt: '' })
})

test('compares a bounded number of pieces with the schema', () => {
  let compared = 0
  for (const piece of ['{}', '{"a":1}', '[]']) {
    findJson(piece.repeat(1e6), () => {
      compared += 1
      return undefined
    })
  }
  expect(compared).toBeGreaterThan(1000)
  expect(compared).toBeLessThan(50_000)
})
