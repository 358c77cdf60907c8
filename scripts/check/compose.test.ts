import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { maxBodyBytes } from '../local/gateway/body.ts'

// No machine of the tests has Docker, so these tests read docker-compose.yml as text.
const root = resolve(import.meta.dirname, '../..')
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8')
const services = new Map(
  [
    ...(text.split('\nservices:\n')[1]?.split('\nconfigs:\n')[0] ?? '').matchAll(/^ {2}(\w+):\n((?: {4}.*\n|\n)+)/gm),
  ].map(([, name = '', body = '']) => [name, body]),
)
const plinth = text.split('x-plinth: &plinth\n')[1]?.split('\n\n')[0] ?? ''
const gateway = text.split('\n  gateway:\n    content: |\n')[1]?.split('\n  passwords:')[0] ?? ''

test('the tests find every service', () => {
  expect([...services.keys()]).toEqual('db migrate settings rest gateway worker sidecar s3 bucket key'.split(' '))
})

describe.each([...services])('service %s', (_name, body) => {
  const whole = body.includes('<<: *plinth') ? `${plinth.replaceAll(/^ {2}/gm, '    ')}\n${body}` : body

  test('has a limit of its memory and of its log', () => {
    expect(whole).toMatch(/^ {4}mem_limit: \d+[mg]$/m)
    expect(whole).toMatch(/^ {4}logging: \*log$/m)
  })

  test('uses an image of one version', () => {
    expect(whole).toMatch(/^ {4}image: (plinth|[a-z/-]+:v?\d+\.\d+[\w.-]*)$/m)
  })
})

test('the image of Plinth is built on one version of Node', () => {
  expect(plinth).toMatch(/FROM node:\d+\.\d+\.\d+-/)
})

test('only the gateway, and the stores for operators on this machine, publish a port', () => {
  const ports = [...services].filter(([, body]) => body.includes('ports:')).map(([name]) => name)
  expect(ports).toEqual(['db', 'gateway', 's3'])
  // biome-ignore lint/suspicious/noTemplateCurlyInString: compose's own syntax
  expect(services.get('gateway')).toContain('${GATEWAY_LISTEN:-127.0.0.1:8000}:8000')
  for (const name of ['db', 's3']) expect(services.get(name)).toMatch(/ - 127\.0\.0\.1:\d+:\d+$/m)
})

test('each secret is given only to the services that need it', () => {
  const holders = (variable: string) =>
    [...services].filter(([, body]) => body.includes(`\${${variable}:`)).map(([name]) => name)
  expect(holders('JWT_SECRET')).toEqual(['rest', 'sidecar'])
  expect(holders('S3_SECRET_ACCESS_KEY')).toEqual(['s3', 'bucket', 'key'])
  expect(holders('SPACES_SECRET_ACCESS_KEY')).toEqual(['key'])
  expect(text.split('x-spaces: &spaces\n')[1]?.split('\n\n')[0]).not.toContain('S3_')
})

describe('the gateway', () => {
  const location = (path: string) => gateway.split(`location ${path} {\n`)[1]?.split(/\n {10}\}\n/)[0] ?? ''

  test('refuses bodies that PostgREST must not get, and hands on only complete ones', () => {
    expect(location('/rest/v1/')).toContain(`client_max_body_size ${maxBodyBytes / 2 ** 20}m;`)
    expect(location('/rest/v1/')).toContain('proxy_request_buffering on;')
    expect(location('/rest/v1/')).toContain('limit_conn large 4;')
    expect(location('/rest/v1/')).toContain('limit_conn address 20;')
  })

  test('counts bodies over 256 KiB, and bodies of unknown length, as large', () => {
    const [, pattern = ''] = gateway.match(/"~(\^\(.*\):)"/) ?? []
    const isLarge = new RegExp(pattern)
    for (const bytes of [262_150, 262_200, 262_999, 263_000, 270_000, 300_000, 999_999, 6_291_456])
      expect(isLarge.test(`${bytes}:`), String(bytes)).toBe(true)
    for (const bytes of ['', 0, 99_999, 200_000, 259_999, 261_000, 262_099, 262_144])
      expect(isLarge.test(`${bytes}:`), String(bytes)).toBe(false)
    expect(gateway).toContain('"~:." $$caller;')
  })

  test('limits an IPv6 client by its /64 network, as the database does', () => {
    const [, pattern = ''] = gateway.match(/map \$\$binary_remote_addr \$\$caller \{\s+"~\(\?s\)(.*)" \$\$1;/) ?? []
    const callerOf = (address: number[]) => {
      const bytes = Buffer.from(address).toString('latin1')
      return new RegExp(pattern.replace('$$', '$'), 's').exec(bytes)?.[1] ?? bytes
    }
    const network = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0x0a]
    expect(callerOf([...network, 1, 2, 3, 4, 5, 6, 7, 0x0a])).toBe(Buffer.from(network).toString('latin1'))
    expect(callerOf([127, 0, 0, 0x0a])).toBe('\x7f\0\0\n')
    // Only the map itself has the whole address.
    expect(gateway.match(/\$\$binary_remote_addr/g)).toHaveLength(2)
    expect(gateway).toContain('limit_conn_zone $$caller zone=address')
  })

  test('sets the header that names the address, which the database reads', () => {
    expect(gateway).toContain('proxy_set_header X-Client-Address $$remote_addr;')
    expect(services.get('settings')).toContain("set client_address_header = 'x-client-address'")
    // A location with a header of its own would lose this one.
    for (const path of ['/rest/v1/', '/api/']) expect(location(path)).not.toContain('proxy_set_header')
  })

  test('sends every object with nosniff, and lets nobody write one', () => {
    expect(location('/assets/')).toContain('add_header X-Content-Type-Options nosniff always;')
    expect(location('/assets/')).toMatch(/limit_except GET \{\s+deny all;/)
  })

  test('answers refusals in the shape of all errors', () => {
    const bodies = [...gateway.matchAll(/return (\d+) '(.*)';/g)]
    expect(bodies.length).toBeGreaterThan(4)
    for (const [, status, body = ''] of bodies) {
      expect(JSON.parse(body)).toEqual({
        code: `PT${status}`,
        details: expect.stringMatching(/^[a-z_]+$/),
        message: expect.stringMatching(/\.$/),
        hint: expect.stringMatching(/\.$/),
      })
    }
  })
})
