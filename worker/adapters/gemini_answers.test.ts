import { expect, test } from 'vitest'
import { readAnswer } from './gemini_answers.ts'

const candidate = (parts: unknown, more: object = {}) => ({ content: { parts }, finishReason: 'STOP', ...more })
const read = (answer: unknown) => readAnswer('m', answer).answers.map((parts) => parts.map(({ text }) => text))
const failure = (answer: unknown): unknown => {
  try {
    return read(answer)
  } catch (error) {
    return error
  }
}

test.each<[string, unknown]>([
  ['a call of a function', { functionCall: { name: 'x', args: {} } }],
  ['code', { executableCode: { language: 'PYTHON', code: 'x' } }],
  ['a file in base64 for URLs', { inlineData: { mimeType: 'image/png', data: 'ab-_' } }],
  ['a file without a type', { inlineData: { data: 'AAAA' } }],
  ['a text that is a number', { text: 5 }],
  ['null', null],
])('a paid text is read if another part is %s', (_what, part) => {
  const [[first, second] = []] = read({ candidates: [candidate([part, { text: 'a' }])] })
  expect([first, second]).toEqual([undefined, 'a'])
})

test.each<[string, unknown[]]>([
  ['before one that is null', [candidate([{ text: 'a' }]), null]],
  ['after one without content', [{ finishReason: 'STOP' }, candidate([{ text: 'a' }])]],
  ['after one that was refused', [{ finishReason: 'SAFETY' }, candidate([{ text: 'a' }])]],
  ['with a reason in small letters', [candidate([{ text: 'a' }], { finishReason: 'stop' })]],
  ['with an empty reason', [candidate([{ text: 'a' }], { finishReason: '' })]],
])('a finished candidate is used: %s', (_what, candidates) => {
  expect(read({ candidates })).toEqual([['a']])
})

test('a block without a reason does not discard a paid answer', () => {
  for (const promptFeedback of [{ blockReason: 'BLOCK_REASON_UNSPECIFIED' }, { blockReason: 'OTHER' }, 'x']) {
    expect(read({ candidates: [candidate([{ text: 'a' }])], promptFeedback })).toEqual([['a']])
  }
})

test.each(['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY', 'MODEL_ARMOR', 'JAILBREAK', 'NEW'])(
  'a prompt that is blocked with %s is permanent',
  (blockReason) => {
    const blocked = { slug: 'prompt_blocked', isPermanent: true }
    expect(failure({ promptFeedback: { blockReason } })).toMatchObject(blocked)
    for (const blockReasonMessage of ['By a filter.', 'By a filter']) {
      expect(failure({ promptFeedback: { blockReason, blockReasonMessage } })).toMatchObject({
        ...blocked,
        message: 'Gemini refuses the prompt: By a filter. Change the prompt.',
      })
    }
  },
)

test('a finish reason that cannot be read is retried', () => {
  const candidates = [candidate([{ text: 'a' }], { finishReason: { toString: 1 } })]
  expect(failure({ candidates })).toMatchObject({ slug: 'provider_answer_invalid', isPermanent: false })
})

test('a block that is unspecified is retried', () => {
  const promptFeedback = { blockReason: 'BLOCK_REASON_UNSPECIFIED' }
  expect(failure({ promptFeedback })).toMatchObject({ slug: 'provider_answer_invalid', isPermanent: false })
})

test('token counts may be texts, as 64-bit integers are in JSON', () => {
  const usageMetadata = { promptTokenCount: '120', candidatesTokenCount: '30', thoughtsTokenCount: -5 }
  const { usage } = readAnswer('m', { candidates: [candidate([{ text: 'a' }])], usageMetadata })
  expect(usage).toEqual({ model: 'm', input_tokens: 120, output_tokens: 30 })
})
