import { expect, test } from 'vitest'
import { clipText, httpUrl, limitOf } from './limits.ts'

test('reads the limit of a text, of a list and of an option', () => {
  expect([limitOf('scene.title'), limitOf('scene.character_ids'), limitOf('options.episodes')]).toEqual([500, 200, 24])
})

test('refuses a field without a limit', () => {
  expect(() => limitOf('drama.created_at')).toThrow('docs/drama.schema.json has no limit for drama.created_at.')
})

test('clips a text to the limit of its field, and removes what Postgres cannot store', () => {
  expect(clipText('drama.genre', 'a\u0000b')).toBe('ab')
  expect(clipText('drama.genre', 'x'.repeat(300))).toBe('x'.repeat(200))
  // A clip in the middle of a surrogate pair.
  expect(clipText('drama.genre', `${'x'.repeat(199)}😀`)).toBe(`${'x'.repeat(199)}\ufffd`)
})

test.each([
  ['https://cdn.example.com/a.png', true],
  ['http://a?b#c', true],
  ['javascript:alert(1)', false],
  ['https://a\u2003b', false],
  ['https://a\ufeff', false],
  ['https://a"b', false],
  ['https://', false],
])('tells whether %j is an http(s) URL: %s', (url, expected) => {
  expect(httpUrl.pattern.test(url)).toBe(expected)
})
