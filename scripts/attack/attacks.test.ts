import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickAttacks } from './attacks.ts'
import { startTarget } from './stack.ts'
import { openTarget, type Target } from './target.ts'

let target: Target
let stop: () => Promise<void>

beforeAll(async () => {
  const started = await startTarget()
  target = started.target
  stop = started.stop
})
afterAll(() => stop(), 20_000)

test.each(Object.keys(quickAttacks))('the stack withstands attack %s', async (name) => {
  const verdicts = [(await quickAttacks[name]?.(target)) ?? []].flat()
  expect(verdicts.length).toBeGreaterThan(0)
  expect(verdicts.filter(({ holds }) => !holds)).toEqual([])
})

test('a stack on another machine is not attacked', async () => {
  const env = { ...target.env, SUPABASE_URL: 'https://api.example.com' }
  await expect(openTarget(env, target.home)).rejects.toThrow('SUPABASE_URL is not on this machine.')
  const real = { ...target.env, GEMINI_BASE_URL: '' }
  await expect(openTarget(real, target.home)).rejects.toThrow('GEMINI_BASE_URL is not on this machine.')
})
