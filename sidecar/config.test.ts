import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const url = 'postgres://sidecar:s3cret@127.0.0.1:5432/postgres'

test('only the database has to be named', () => {
  expect(parseConfig({ DATABASE_URL: url })).toEqual({
    DATABASE_URL: url,
    SIDECAR_HOST: '127.0.0.1',
    SIDECAR_PORT: 3001,
    LOG_LEVEL: 'info',
  })
})

test('a failure names every wrong variable, and repeats no value', () => {
  const env = { SIDECAR_PORT: '70000', LOG_LEVEL: 's3cret' }
  expect(() => parseConfig(env)).toThrow(/DATABASE_URL: is missing[\s\S]*SIDECAR_PORT: must be[\s\S]*LOG_LEVEL: /)
  expect(() => parseConfig(env)).not.toThrow('s3cret')
})
