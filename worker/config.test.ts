import { expect, test } from 'vitest'
import { findStore, parseConfig } from './config.ts'

const url = 'postgres://worker:s3cret@127.0.0.1:5432/postgres'

const needed = {
  DATABASE_URL: url,
  SPACES_ENDPOINT: 'https://fra1.digitaloceanspaces.com',
  SPACES_BUCKET: 'plinth-assets',
  SPACES_ACCESS_KEY_ID: 'id',
  SPACES_SECRET_ACCESS_KEY: 's3cret',
  ASSETS_CDN_URL: 'https://cdn.example.com',
}

test('only the database and the bucket are required', () => {
  expect(parseConfig({ ...needed, PLINTH_HOME: '/home', PATH: '/bin' })).toEqual({
    ...needed,
    SPACES_ACL: 'public-read',
    SPACES_REGION: 'us-east-1',
    SPACES_FORCE_PATH_STYLE: false,
    SPACES_TIMEOUT_SECONDS: 15,
    STORAGE_S3_TIMEOUT_SECONDS: 15,
    WORKER_PHOTOS_MAX_BYTES: 104_857_600,
    PAYMOB_BASE_URL: 'https://accept.paymob.com',
    GEMINI_BASE_URL: 'https://generativelanguage.googleapis.com',
    GEMINI_TIMEOUT_SECONDS: 120,
    GEMINI_VIDEO_POLL_SECONDS: 10,
    GEMINI_VIDEO_HOSTS: ['*.googleapis.com', '*.googleusercontent.com'],
    WORKER_CONCURRENCY: 10,
    WORKER_STEP_CONCURRENCY: 10,
    WORKER_STALL_SECONDS: 60,
    WORKER_DRAIN_SECONDS: 25,
    WORKER_HEALTH_HOST: '127.0.0.1',
    WORKER_HEALTH_PORT: 3002,
    FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: false,
    TEMPLATES_CACHE_TTL_SECONDS: 86_400,
    TEMPLATES_STORE_REGION: 'ca-central-1',
    TEMPLATES_STORE_BUCKET: 'template-artifacts',
    TEMPLATES_STORE_FORCE_PATH_STYLE: true,
    TEMPLATES_STORE_TIMEOUT_SECONDS: 5,
    PLINTH_HOME: '/home',
    LOG_LEVEL: 'info',
  })
})

test('published templates need a store', () => {
  expect(() => parseConfig({ ...needed, FEATURE_TEMPLATE_VERSION_REMOTE_STORAGE: 'true' })).toThrow(
    /TEMPLATES_STORE_ENDPOINT: is missing[\s\S]*ACCESS_KEY_ID: is missing[\s\S]*SECRET_ACCESS_KEY: is missing/,
  )
  expect(() => parseConfig({ ...needed, TEMPLATES_STORE_ENDPOINT: 'http://127.0.0.1:1' })).toThrow(
    'TEMPLATES_STORE_ACCESS_KEY_ID: is missing',
  )
})

test('an empty variable counts as unset', () => {
  expect(parseConfig({ ...needed, WORKER_CONCURRENCY: '' }).WORKER_CONCURRENCY).toBe(10)
  expect(() => parseConfig({ DATABASE_URL: '' })).toThrow('DATABASE_URL: is missing')
})

test('a failure names every invalid variable, and no value', () => {
  const env = { DATABASE_URL: 'mysql://me:s3cret@h/db', WORKER_CONCURRENCY: 's3cret', LOG_LEVEL: 's3cret' }
  expect(() => parseConfig(env)).toThrow(/DATABASE_URL: must be[\s\S]*WORKER_CONCURRENCY: must be[\s\S]*LOG_LEVEL: /)
  expect(() => parseConfig(env)).not.toThrow('s3cret')
})

test.each(['0', '201', '1.5', 'ten'])('a concurrency of %s is refused', (value) => {
  expect(() => parseConfig({ ...needed, WORKER_CONCURRENCY: value })).toThrow('WORKER_CONCURRENCY: must be')
})

test('a pool has a list of types, and needs no store', () => {
  const config = parseConfig({ DATABASE_URL: url, WORKER_TYPES: 'write_scene, generate_image' })
  expect(config.WORKER_TYPES).toEqual(['write_scene', 'generate_image'])
  expect(findStore(config)).toBeUndefined()
  const withStore = parseConfig({ ...needed, WORKER_TYPES: 'write_scene' })
  expect(findStore(withStore)).toMatchObject({
    publicUrl: needed.ASSETS_CDN_URL,
    spaces: { SPACES_TIMEOUT_SECONDS: 15 },
  })
})

test('a pool with a part of a store is refused', () => {
  const part = { DATABASE_URL: url, WORKER_TYPES: 'write_scene', SPACES_BUCKET: needed.SPACES_BUCKET }
  expect(() => parseConfig(part)).toThrow(
    /ASSETS_CDN_URL: is missing[\s\S]*SPACES_ENDPOINT: is missing[\s\S]*SECRET_ACCESS_KEY: is missing/,
  )
})

test.each([{}, { WORKER_TYPES: 'process_image' }])('a part of the Storage of users is refused with %j', (more) => {
  expect(() => parseConfig({ ...needed, ...more, STORAGE_S3_ENDPOINT: 'http://127.0.0.1:1' })).toThrow(
    /STORAGE_S3_REGION: is missing[\s\S]*ACCESS_KEY_ID: is missing[\s\S]*SECRET_ACCESS_KEY: is missing/,
  )
})

test('only a pool may have no store', () => {
  expect(() => parseConfig({ DATABASE_URL: url, WORKER_TYPES: '' })).toThrow('SPACES_ENDPOINT: is missing')
})

test.each(['127.0.0.1', '*', '*.com', 'https://a.example', 'a.example:443', 'a.example,', '2130706433'])(
  'the list of video hosts "%s" is refused',
  (value) => {
    expect(() => parseConfig({ ...needed, GEMINI_VIDEO_HOSTS: value })).toThrow(
      'GEMINI_VIDEO_HOSTS: must be host names',
    )
  },
)

test.each(['a,', 'A', ' ', 'a;b'])('the list of types "%s" is refused', (value) => {
  expect(() => parseConfig({ ...needed, WORKER_TYPES: value })).toThrow('WORKER_TYPES: must be names of job types')
})
