import { expect, test } from 'vitest'
import { askForLess, explain, notLost } from './gemini_answers.ts'
import { RefusedError } from './gemini_refusals.ts'

// Bodies and headers that Gemini and proxies before it sent to others, with placeholders for texts and names.
const refused = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new RefusedError(status, typeof body === 'string' ? body : JSON.stringify(body), new Headers(headers))
const error = (code: number, message: string, details: unknown[] = [], status = '') => ({
  error: { code, message, status, details },
})
const retryInfo = (retryDelay: unknown) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay })
const quota = (...violations: unknown[]) => ({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations })
const info = (reason: string, metadata: object = {}) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain: 'googleapis.com',
  metadata,
})
const dayId = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier'
const minuteId = 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier'

test.each([[408], [409], [425], [499], [500], [502], [503], [504], [520], [522], [524], [529]])(
  'the status %d is retried, whatever its body',
  (status) => {
    for (const body of ['', '<html>a proxy</html>', 'busy', error(status, 'Deadline expired.')]) {
      expect(explain(refused(status, body))).toMatchObject({ slug: 'provider_unavailable', isPermanent: false })
    }
  },
)

test.each([
  [400, 'provider_refused'],
  [401, 'provider_key_refused'],
  [403, 'provider_key_refused'],
  [404, 'provider_model_unknown'],
  [413, 'provider_refused'],
  [501, 'provider_refused'],
])('the status %d is permanent, and its message has no page', (status, slug) => {
  for (const body of ['', ' <!DOCTYPE html><title>x</title>', error(status, 'No.')]) {
    const failure = explain(refused(status, body))
    expect(failure).toMatchObject({ slug, isPermanent: true })
    expect(failure.message).not.toContain('<')
  }
})

const delayed = error(429, 'Quota', [retryInfo('7s')])
test.each([
  ['an object', delayed],
  ['a list', [delayed]],
  ['the message of a proxy', error(429, JSON.stringify(delayed, null, 2))],
  ['the message of a proxy, as a list', error(429, JSON.stringify([delayed]))],
  ['with a detail that is null', error(429, 'Quota', [null, retryInfo('7s')])],
  ['without a message', { error: { code: 429, message: null, details: [retryInfo('7s')] } }],
  ['with the delay as an object', error(429, 'Quota', [retryInfo({ seconds: '7', nanos: 0 })])],
  ['with the delay in the message alone', error(429, 'You exceeded your quota. Please retry in 7s.')],
])('a delay is read from %s', (_what, body) => {
  expect(explain(refused(429, body))).toMatchObject({ slug: 'provider_busy', retryInMs: 7000, retryGrows: false })
})

test.each([
  ['3.2s', 3200],
  ['1.000000001s', 1001],
  ['86400s', 600_000],
])('the delay %j is %d ms', (delay, ms) => {
  expect(explain(refused(429, error(429, 'Quota', [retryInfo(delay)])))).toMatchObject({ retryInMs: ms })
})

test.each<unknown>([
  '0s',
  'nonsense',
  '-5s',
  '1e3s',
  '500ms',
  '',
  7,
  null,
  {},
  { toString: 1, seconds: { valueOf: 1 } },
])('pauses grow if the delay is %j', (delay) => {
  const failure = explain(refused(429, error(429, 'Quota', [retryInfo(delay)])))
  expect(failure).toMatchObject({ slug: 'provider_busy', retryInMs: 5000, retryGrows: true })
})

test.each([
  ['seconds', '9', 9000],
  ['a date', 'Fri, 27 Nov 2026 12:00:20 GMT', 20_000],
  ['a date that is over', 'Fri, 27 Nov 2026 11:00:00 GMT', undefined],
  ['nonsense', 'soon', undefined],
])('Retry-After with %s is used where the body has no delay', (_what, header, ms) => {
  // By the clock of the provider.
  const headers = { 'retry-after': header, date: 'Fri, 27 Nov 2026 12:00:00 GMT' }
  expect(explain(refused(503, '', headers)).retryInMs).toBe(ms)
  expect(explain(refused(429, 'busy', headers)).retryInMs).toBe(ms ?? 5000)
  expect(explain(refused(429, delayed, headers)).retryInMs).toBe(7000)
})

test.each([
  ['a text', [quota({ quotaId: minuteId, quotaValue: '0' })], 'Quota'],
  ['a number', [quota({ quotaId: dayId, quotaValue: 0 })], 'Quota'],
  ['one of several', [quota({ quotaId: minuteId, quotaValue: '5' }, { quotaId: dayId, quotaValue: '0' })], 'Quota'],
  ['left out, as JSON does with 0', [quota({ quotaId: dayId })], 'Quota exceeded, limit: 0, model: gemini-3-pro\n* x'],
  ['at the end of a long message', [], `${'You exceeded your quota. '.repeat(30)}limit: 0, model: gemini-3-pro`],
  [
    'in the metadata',
    [info('RATE_LIMIT_EXCEEDED', { quota_limit: 'PerMinutePerProject', quota_limit_value: '0' })],
    'Quota',
  ],
])('a limit of 0 is permanent: %s', (_what, details, message) => {
  const failure = explain(refused(429, error(429, message, [...details, retryInfo('1s')])), 'gemini-3-pro')
  expect(failure).toMatchObject({ slug: 'provider_quota_missing', isPermanent: true, retryInMs: undefined })
  expect(failure.message).toContain('gemini-3-pro')
})

test.each([
  ['the limit of a minute', [quota({ quotaId: minuteId, quotaValue: '10' })], 'Quota'],
  ['a limit without a value', [quota({ quotaId: minuteId })], 'Quota'],
  ['a limit below 1', [], 'limit: 0.5, model: x'],
  ['the limit of a minute in the metadata', [info('RATE_LIMIT_EXCEEDED', { quota_limit: 'PerMinute' })], 'Quota'],
])('waits as told after %s', (_what, details, message) => {
  const failure = explain(refused(429, error(429, message, [...details, retryInfo('7s')])))
  expect(failure).toMatchObject({ slug: 'provider_busy', isPermanent: false, retryInMs: 7000 })
})

const dayDetails: [string, unknown[]][] = [
  ['after the limit of a minute', [quota({ quotaId: minuteId }, { quotaId: dayId, quotaValue: '250' })]],
  ['of tokens', [quota({ quotaId: 'GenerateContentInputTokensPerModelPerDay', quotaValue: '1000' })]],
  ['in another spelling', [quota({ quotaId: 'generate_requests_per_day' })]],
  ['in a description', [quota({ subject: 'project:1', description: 'Daily limit' })]],
  ['after a violation that is null', [quota(null, { quotaId: dayId, quotaValue: 20 })]],
  ['in the metadata', [info('RATE_LIMIT_EXCEEDED', { quota_limit: 'ProRequestsPerDay', quota_limit_value: '100' })]],
]
test.each(dayDetails)('rests until the day of the provider ends: %s', (_what, details) => {
  // The clock of the provider counts, not the clock of the worker.
  const headers = { date: 'Fri, 27 Nov 2026 09:00:00 GMT' }
  const failure = explain(refused(429, error(429, 'Quota', [...details, retryInfo('47s')]), headers))
  expect(failure).toMatchObject({ slug: 'provider_day_spent', dayEndsInMs: 23 * 3_600_000, retryInMs: undefined })
})

test.each([
  ['27 Nov 2026 08:00:00', 300_000],
  ['27 Nov 2026 08:04:59', 300_000],
  ['27 Nov 2026 08:05:00', 24 * 3_600_000 - 300_000],
  ['27 Nov 2026 07:59:59', 1000],
])('rests for minutes at the begin of a day, because the quota of the day before may still count: %s', (date, ms) => {
  const body = error(429, 'Quota', [quota({ quotaId: dayId, quotaValue: '250' })])
  expect(explain(refused(429, body, { date: `Fri, ${date} GMT` })).dayEndsInMs).toBe(ms)
})

test.each([
  ['by its reason', error(400, 'No.', [info('API_KEY_INVALID')])],
  ['by its message alone', error(400, 'API key not valid. Please pass a valid API key.')],
  ['because it has expired', error(400, 'API key expired. Please renew the API key.')],
])('a 400 that refuses the key does not blame the request: %s', (_what, body) => {
  expect(explain(refused(400, body))).toMatchObject({ slug: 'provider_key_refused', isPermanent: true })
})

test('details are read from a long body', () => {
  const body = error(429, 'x'.repeat(100_000), [retryInfo('7s')])
  const failure = explain(refused(429, body))
  expect(failure).toMatchObject({ slug: 'provider_busy', retryInMs: 7000 })
  expect((failure.cause as Error).message.length).toBeLessThan(21_000)
})

test('an owner reads no JSON that is cut off, and no more than the beginning of a message', () => {
  const text = JSON.stringify(error(413, 'Too large. '.repeat(1000)))
  expect(explain(refused(413, text.slice(0, 5000))).message).toBe(
    'Gemini refuses the request (413): it gave no reason.',
  )
  expect(explain(refused(413, text)).message.length).toBeLessThan(600)
})

test('a status below 400 is retried', () => {
  expect(explain(refused(304, ''))).toMatchObject({ slug: 'provider_answer_invalid', isPermanent: false })
})

test('no one is asked for fewer scenes if the server is refused, for example in its country', () => {
  const body = error(400, 'User location is not supported for the API use.', [], 'FAILED_PRECONDITION')
  const failure = askForLess(explain(refused(400, body)))
  expect(failure).toMatchObject({ slug: 'provider_refused', isPermanent: true })
  expect(failure.message).toContain('User location')
  expect(failure.message).not.toContain('fewer scenes')
})

test.each([
  ['the service is disabled', error(403, 'Disabled.', [info('SERVICE_DISABLED')])],
  ['the account is suspended', error(403, 'x', [info('CONSUMER_SUSPENDED')])],
  ['the key leaked', error(403, 'Your API key was reported as leaked. Please use another API key.')],
])('a 403 does not lose an operation if %s', (_what, body) => {
  const error = refused(403, body)
  expect(() => notLost(error)).toThrow(error)
  expect(explain(error)).toMatchObject({ slug: 'provider_key_refused', isPermanent: true, dropsState: false })
})
