import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const url = 'postgres://sidecar:s3cret@127.0.0.1:5432/postgres'

const needed = {
  DATABASE_URL: url,
  ASSETS_CDN_URL: 'https://cdn.example.com/assets',
  SPACES_ENDPOINT: 'https://fra1.digitaloceanspaces.com',
  SPACES_BUCKET: 'plinth-assets',
  SPACES_ACCESS_KEY_ID: 'id',
  SPACES_SECRET_ACCESS_KEY: 's3cret',
}

test('only the database, the bucket and the CDN have to be named', () => {
  expect(parseConfig(needed)).toEqual({
    ...needed,
    SIDECAR_HOST: '127.0.0.1',
    SIDECAR_PORT: 3001,
    SIDECAR_CORS_ORIGINS: [],
    SIDECAR_UPLOADS_AT_ONCE: 200,
    SIDECAR_UPLOAD_TIMEOUT_SECONDS: 1800,
    SPACES_REGION: 'us-east-1',
    SPACES_FORCE_PATH_STYLE: false,
    SPACES_ACL: 'public-read',
    SPACES_TIMEOUT_SECONDS: 15,
    LOG_LEVEL: 'info',
  })
})

test('JWT_SECRET is a long secret or a JWKS', () => {
  const jwks = `{"keys": [{"kty": "oct", "k": "${'a'.repeat(43)}"}]}`
  for (const JWT_SECRET of ['x'.repeat(32), jwks])
    expect(parseConfig({ ...needed, JWT_SECRET })).toMatchObject({ JWT_SECRET })
  const short = JSON.stringify({ keys: [{ kty: 'oct', k: 'c2hvcnQ' }] })
  for (const JWT_SECRET of ['x'.repeat(31), '{"keys": 1}', '{', short])
    expect(() => parseConfig({ ...needed, JWT_SECRET }), JWT_SECRET).toThrow('JWT_SECRET: must be a secret')
})

test('origins are a list', () => {
  const origins = (list: string) => parseConfig({ ...needed, SIDECAR_CORS_ORIGINS: list }).SIDECAR_CORS_ORIGINS
  expect(origins('*')).toEqual(['*'])
  expect(origins('https://a.example, http://localhost:5173')).toEqual(['https://a.example', 'http://localhost:5173'])
  for (const wrong of ['a.example', 'https://a.example/', 'https://a.example,,'])
    expect(() => origins(wrong), wrong).toThrow('must be origins')
})

test.each([
  'https://cdn.example.com/',
  'HTTPS://cdn.example.com',
  'https://cdn.example.com?a=1',
  'https://u@cdn.example.com',
])('the URL of the CDN is one that a key can follow: not %s', (ASSETS_CDN_URL) => {
  expect(() => parseConfig({ ...needed, ASSETS_CDN_URL })).toThrow('ASSETS_CDN_URL: must ')
})

test('a failure names every wrong variable, and repeats no value', () => {
  const env = { SIDECAR_PORT: '70000', LOG_LEVEL: 's3cret' }
  expect(() => parseConfig(env)).toThrow(/DATABASE_URL: is missing[\s\S]*SIDECAR_PORT: must be[\s\S]*LOG_LEVEL: /)
  expect(() => parseConfig(env)).not.toThrow('s3cret')
})
