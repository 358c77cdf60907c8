import { expect, test } from 'vitest'
import { postgresUrl } from './database_url.ts'

const refusal = (url: string) => postgresUrl.safeParse(url).error?.issues[0]?.message

test.each([
  'postgres://worker:p@127.0.0.1:5432/postgres',
  'postgres://worker@127.8.0.1/postgres',
  'postgres://worker@[::1]/postgres',
  'postgresql://worker@localhost/postgres?sslmode=require',
  'postgres://worker@db/postgres',
  'postgres:///postgres',
  'postgres:///postgres?host=/var/run/postgresql',
  'postgres://worker@%2Fvar%2Frun%2Fpostgresql/postgres',
])('the loopback, a Unix socket and a name without a dot need no TLS: %s', (url) => {
  expect(refusal(url)).toBeUndefined()
})

test.each(['verify-full', 'no-verify'])('another machine needs sslmode=%s', (mode) => {
  expect(refusal(`postgres://worker@db.example.com/postgres?sslmode=${mode}`)).toBeUndefined()
})

test.each(['require', 'prefer', 'allow', 'disable', 'verify-ca', '', 'verify-full&sslmode=disable'])(
  'sslmode=%s is refused for another machine',
  (mode) => {
    expect(refusal(`postgres://worker@db.example.com/postgres?sslmode=${mode}`)).toMatch(
      /^has an sslmode that does not say whether .*add \?sslmode=verify-full/,
    )
  },
)

test.each([
  'postgres://worker@db.example.com/postgres',
  'postgres://worker@db.example.com/postgres?ssl=true',
  'postgres://worker@10.0.0.1/postgres',
  'postgres://worker@[fd00::1]/postgres',
  'postgres://worker@127.0.0.1.example.com/postgres',
  // The parameter counts, not the host.
  'postgres://worker@127.0.0.1/postgres?host=db.example.com',
  'postgres://worker@db%2Eexample%2Ecom/postgres',
  // As a number, the address 8.8.8.8.
  'postgres://worker@134744072/postgres',
  'postgres://worker@0x08080808/postgres',
])('another machine without sslmode is refused: %s', (url) => {
  expect(refusal(url)).toMatch(/^has no sslmode, and its host is another machine: add \?sslmode=verify-full/)
})

test('a CA that cannot be read is refused at once', () => {
  const url = 'postgres://worker@db.example.com/postgres?sslmode=verify-full&sslrootcert='
  expect(refusal(`${url}/nowhere/ca.crt`)).toBe(
    'names a CA in sslrootcert that cannot be read: download the CA, and name its file',
  )
  expect(refusal(url + encodeURIComponent(import.meta.filename))).toBeUndefined()
})

test('another URL than one of Postgres is refused, and its password is not repeated', () => {
  for (const url of ['mysql://me:s3cret@h/db', 'postgres://me:s3cret@h:port/db', 's3cret']) {
    expect(refusal(url)).toBe('must be a URL like postgres://role:password@host:5432/name')
  }
})
