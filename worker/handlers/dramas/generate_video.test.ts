import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { Reschedule, type Step, StepError } from '../../steps/define_handler.ts'
import type { DramaDeps } from './deps.ts'
import generateVideo from './generate_video.ts'

const hourMs = 3_600_000
/** By the clock of the database. */
const start = Date.UTC(2026, 10, 20)
const deps = {
  media: { requireStore: () => {} },
  templates: { resolve: async () => ({ version: '1.0.0', artifacts: { scene_video_prompt: { text: 'x' } } }) },
  gemini: { videoPollMs: 10_000, startVideo: async () => 'operations/1', pollVideo: async () => undefined },
} as unknown as DramaDeps
const id = '6f1f4d1e-50d5-4f0e-9c50-0d1f0a3e7b11'
const input = { drama_id: id, target_id: id, kind: 'video', model: 'm', style: '', prompt: 'x', references: [] }

/** Runs a turn on a worker whose clock differs from the clock of the database. Returns the state that it saves, or its output. */
async function turn(
  state: unknown,
  { atMs, apartMs = 0, failures = 0 }: { atMs: number; apartMs?: number; failures?: number },
): Promise<unknown> {
  vi.useFakeTimers({ toFake: ['Date'], now: start + atMs + apartMs })
  try {
    const step = {
      ...{
        id: 1,
        fence: 1,
        runId: 1,
        ownerId: null,
        key: 'video',
        outputs: {},
        state,
        failures,
        buyingIsStopped: false,
      },
      signal: new AbortController().signal,
      logger: pino({ level: 'silent' }),
      now: () => start + atMs,
      progress: () => {},
    } satisfies Step
    const result = await generateVideo(deps)(input, step)
    return result instanceof Reschedule ? result.state : result
  } finally {
    vi.useRealTimers()
  }
}
const tooLate = { slug: 'provider_timed_out', isPermanent: true, dropsState: true }

test.each([
  ['behind', -2 * hourMs, 0],
  ['ahead', 2 * hourMs, 0],
  ['right, and the next one is ahead', 0, 2 * hourMs],
  ['right, and the next one is behind', 0, -2 * hourMs],
])('a video has an hour if the first worker’s clock is two hours %s', async (_how, first, next) => {
  const started = await turn(null, { atMs: 0, apartMs: first })
  const polled = await turn(started, { atMs: 10_000, apartMs: next })
  expect(polled).toEqual(started)
  await turn(polled, { atMs: hourMs, apartMs: next })
  await expect(turn(polled, { atMs: hourMs + 1, apartMs: next })).rejects.toMatchObject(tooLate)
})

test.each([-2 * hourMs, 0, 2 * hourMs])(
  'a video that an older release started by a clock %d ms apart has an hour from its next poll',
  async (apartMs) => {
    const old = { operation: 'operations/1', started_at: start + apartMs, failed: 0 }
    const polled = await turn(old, { atMs: 10_000 })
    await turn(polled, { atMs: 10_000 + hourMs })
    await expect(turn(polled, { atMs: 10_001 + hourMs })).rejects.toMatchObject(tooLate)
    // A worker of the older release, which drops fields that it does not know, can continue.
    expect(polled).toMatchObject({ operation: 'operations/1', started_at: expect.any(Number), failed: 0 })
  },
)

const ended = new StepError('video_failed', 'Gemini has lost the video.', { dropsState: true })

test.each([
  [0, false],
  [1, false],
  [2, true],
])('after %d failures another operation is begun for a failed one, up to three', async (failures, isPermanent) => {
  const state = await turn(null, { atMs: 0 })
  const poll = vi.spyOn(deps.gemini, 'pollVideo').mockRejectedValueOnce(ended)
  const failure = { slug: 'video_failed', isPermanent, dropsState: true }
  await expect(turn(state, { atMs: 10_000, failures })).rejects.toMatchObject(failure)
  poll.mockRestore()
})

test('a video that comes with the answer of a poll is stored without a download', async () => {
  const state = await turn(null, { atMs: 0 })
  const bytes = Buffer.from('video')
  const poll = vi.spyOn(deps.gemini, 'pollVideo').mockResolvedValueOnce({ bytes, mimeType: 'video/mp4' })
  const put = vi.fn(async () => 'https://cdn.example.com/v.mp4')
  Object.assign(deps.media, { put })
  await expect(turn(state, { atMs: 10_000 })).resolves.toEqual({
    url: 'https://cdn.example.com/v.mp4',
    mime_type: 'video/mp4',
    bytes: 5,
  })
  expect(put).toHaveBeenCalledWith(expect.objectContaining({ dramaId: id, bytes, mimeType: 'video/mp4' }))
  poll.mockRestore()
})

const away = new StepError('provider_unreachable', 'Gemini cannot be reached.')
const busy = new StepError('provider_busy', 'Gemini is busy.', { retryInMs: 7000 })

test('an outage counts no failure for some turns, because the video is paid for', async () => {
  const begun = await turn(null, { atMs: 0 })
  const poll = vi.spyOn(deps.gemini, 'pollVideo').mockRejectedValue(away)
  let state = begun
  for (let missed = 1; missed <= 8; missed++) {
    state = await turn(state, { atMs: 10_000 * missed, failures: 4 })
    expect(state).toEqual({ ...(begun as object), missed })
  }
  // From now on the engine counts, and the operation is kept.
  await expect(turn(state, { atMs: 100_000 })).rejects.toMatchObject({ isPermanent: false, dropsState: false })
  poll.mockRestore()
  expect(await turn(state, { atMs: 110_000 })).toEqual(begun)
})

test('an outage of the download or of the store counts no failure, either', async () => {
  const begun = await turn(null, { atMs: 0 })
  const poll = vi.spyOn(deps.gemini, 'pollVideo').mockResolvedValue('https://example.com/v')
  const load = vi
    .fn()
    .mockRejectedValueOnce(away)
    .mockResolvedValue({ bytes: Buffer.alloc(1), mimeType: 'video/mp4' })
  const put = vi.fn().mockRejectedValueOnce(new StepError('store_unavailable', 'The store does not answer.'))
  Object.assign(deps.gemini, { loadVideo: load })
  Object.assign(deps.media, { put: put.mockResolvedValue('https://cdn.example.com/v.mp4') })
  const once = await turn(begun, { atMs: 10_000 })
  const twice = await turn(once, { atMs: 20_000 })
  expect([once, twice]).toMatchObject([{ missed: 1 }, { missed: 2 }])
  await expect(turn(twice, { atMs: 30_000 })).resolves.toMatchObject({ bytes: 1 })
  poll.mockRestore()
})

test.each([
  ['names a delay', busy],
  ['is permanent', new StepError('provider_key_refused', 'No.', { isPermanent: true })],
  ['says that the day is spent', new StepError('provider_day_spent', 'Tomorrow.', { dayEndsInMs: 1000 })],
  ['is unexpected', new Error('x')],
])('a poll fails, and keeps the operation, if its error %s', async (_what, error) => {
  const state = await turn(null, { atMs: 0 })
  const poll = vi.spyOn(deps.gemini, 'pollVideo').mockRejectedValueOnce(error)
  await expect(turn(state, { atMs: 10_000 })).rejects.toBe(error)
  poll.mockRestore()
})
