import { expect, test } from 'vitest'
import { requireAllowedType, requireBucketName, requireKey } from './names.ts'

test.each([
  '',
  '.',
  '..',
  '/',
  '/a',
  'a/',
  'a//b',
  'a/./b',
  'a/../b',
  '../a',
  'a\\b',
  'a\0b',
  'a\nb',
  'a\x7fb',
  'ü',
  '😀',
  ...'#%"<>[]^`{|}~',
  'x'.repeat(1025),
])('refuses the key %j', (key) => {
  expect(() => requireKey(key)).toThrow(`Invalid key: ${key}`)
})

test('accepts every character of a key that Storage accepts', () => {
  for (const key of ["a-Z_0/!.*'() &$=@;:+,?", '...', 'a..b/.c/c.', 'x'.repeat(1024)]) requireKey(key)
})

test('refuses names of buckets that are no folder', () => {
  for (const name of ['', '.', '..', 'a/b', 'a\\b', ' a', 'a ', 'ü', 'x'.repeat(101)])
    expect(() => requireBucketName(name)).toThrow('Bucket name invalid')
  for (const name of ['user_uploads', 'a b', 'a.b', 'x'.repeat(100)]) requireBucketName(name)
})

test('compares content types with those that a bucket allows', () => {
  for (const type of ['image/png', 'image/svg+xml', 'text/plain']) requireAllowedType(type, ['image/*', 'text/plain'])
  for (const type of ['video/mp4', 'text/plain;charset=UTF-8', 'image', '', 'images/png'])
    expect(() => requireAllowedType(type, ['image/*', 'text/plain'])).toThrow('is not supported')
  for (const allowed of [null, []]) requireAllowedType('video/mp4', allowed)
})
