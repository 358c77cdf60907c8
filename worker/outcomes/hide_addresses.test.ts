import { expect, test } from 'vitest'
import { hideAddresses } from './hide_addresses.ts'

test.each([
  ['Getting https://user:pw@cdn.example.com/a?b=c failed.', 'Getting … failed.'],
  ['connect ECONNREFUSED 10.0.0.7:5432', 'connect ECONNREFUSED …'],
  ['connect ECONNREFUSED ::1:5432', 'connect ECONNREFUSED …'],
  ['No route to [2001:db8::7]:443.', 'No route to ….'],
  ['No route to fe80:0:0:0:0:0:0:1.', 'No route to ….'],
  ['getaddrinfo ENOTFOUND fra1.digitaloceanspaces.com', 'getaddrinfo ENOTFOUND …'],
  ['getaddrinfo EAI_AGAIN db', 'getaddrinfo EAI_AGAIN …'],
  ['The host db.internal and localhost are gone.', 'The host … and … are gone.'],
  ['connect to postgres:5432 failed', 'connect to … failed'],
  ["ENOENT: no such file or directory, open '/srv/app/secret.json'", "ENOENT: no such file or directory, open '…'"],
  ['Cannot read ~/keys/a.pem or ../keys/b.pem.', 'Cannot read … or …'],
  ['Cannot read C:\\keys\\a.pem.', 'Cannot read …'],
  ['It broke.\n    at run (file:///srv/app/run.ts:1:2)\n    at /srv/app/x.ts:3:4', 'It broke.'],
])('hides the place in %j', (message, expected) => {
  expect(hideAddresses(message)).toBe(expected)
})

test.each([
  'The answer cannot be used: it has image/svg+xml.',
  'The input does not match its schema: chapters[0].title: Too big: expected string to have <=500 characters',
  'Request 3/4 of the text and/or fewer parts at 12:30. See docs/errors.md.',
  'Version 1.2.0 of x has no y_prompt.',
  'It does not know the model: models/some-2.5-pro.',
  'It needs std::map, a: 1 and C++.',
])('keeps %j', (message) => {
  expect(hideAddresses(message)).toBe(message)
})

test('stores 2,000 characters of any message, and takes little time', () => {
  const parts = ['a-', '1.', 'a.', '::', '/a', 'https://', '\\', 'a:1', '\n at ', '\ud83d', '\u0000', 'ECONNREFUSED ']
  for (const part of parts) {
    const message = part.repeat(1_000_000)
    const from = process.cpuUsage()
    const stored = hideAddresses(message)
    expect(process.cpuUsage(from).user).toBeLessThan(500_000)
    expect(stored.length).toBeLessThanOrEqual(2000)
    expect(stored.isWellFormed()).toBe(true)
    expect(stored).not.toContain('\u0000')
  }
})
