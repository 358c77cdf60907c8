import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CallbackError, isSignedBy, readCallback, tokenFields, transactionFields } from './callback.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, 'cases', name))
const { secret, cases, order_of_fields } = JSON.parse(read('signatures.json').toString()) as {
  secret: string
  order_of_fields: string[]
  cases: Record<string, { hmac: string; concatenated: string }>
}
const approved = JSON.parse(read('1_approved.json').toString())
const readObject = (obj: unknown, type = 'TRANSACTION') => readCallback(Buffer.from(JSON.stringify({ type, obj })))
const signedText = (signed: Record<string, string> | undefined) =>
  transactionFields.map((field) => signed?.[field]).join('')

test('the signed fields have the order of the documentation', () => {
  expect(transactionFields).toEqual(order_of_fields)
})

test.each(Object.entries(cases))(
  '%s: the signed text and the signature are those that were computed by hand',
  (name, { hmac, concatenated }) => {
    const { signed = {} } = readCallback(read(`${name}.json`))
    expect(signedText(signed)).toBe(concatenated)
    expect(isSignedBy([secret], transactionFields, signed, hmac)).toBe(true)
    expect(isSignedBy(['another secret here', secret], transactionFields, signed, hmac)).toBe(true)
    expect(isSignedBy(['another secret here'], transactionFields, signed, hmac)).toBe(false)
    for (const wrong of [
      undefined,
      '',
      hmac.toUpperCase(),
      `${hmac} `,
      hmac.slice(1),
      [hmac],
      [hmac, hmac],
      '0'.repeat(128),
      'é'.repeat(128),
    ])
      expect(isSignedBy([secret], transactionFields, signed, wrong), String(wrong)).toBe(false)
  },
)

test('without a secret nothing is signed', () => {
  expect(isSignedBy([], transactionFields, {}, '0'.repeat(128))).toBe(false)
})

test.each([
  ['false is the word', { success: false }, 'success', 'false'],
  ['null is the empty text', { source_data: { pan: null } }, 'source_data.pan', ''],
  ['a missing field is the empty text', { source_data: {} }, 'source_data.type', ''],
  ['a missing object is the empty text', { order: undefined }, 'order.id', ''],
  ['zero is 0', { amount_cents: 0 }, 'amount_cents', '0'],
  [
    'a text stays as it is',
    { created_at: '2020-03-25T18:39:44.719228+04:00' },
    'created_at',
    '2020-03-25T18:39:44.719228+04:00',
  ],
  ['a number in a text stays as it is', { amount_cents: '0100' }, 'amount_cents', '0100'],
])('%s', (_what, change, field, text) => {
  expect(readObject({ ...approved.obj, ...change }).signed?.[field]).toBe(text)
})

test.each(['12345678901234567890123', '1.50', '1e2', '-0', '100.0', '-7', '0', '999999999999999', '-1000000000000000'])(
  'the number %s keeps its digits',
  (number) => {
    for (const space of ['', ' ', '\n\t ']) {
      const body = Buffer.from(
        `{"type": "TRANSACTION", "obj": {"id"${space}:${space}${number}${space}, "amount_cents": 1}}`,
      )
      expect(readCallback(body).signed).toMatchObject({ id: number, amount_cents: '1' })
    }
  },
)

test('every number keeps its digits, wherever it is', () => {
  const digits = fc.stringMatching(/^[0-9]{1,20}$/).map((text) => text.replace(/^0+(?=.)/, ''))
  const number = fc
    .tuple(fc.constantFrom('', '-'), digits, fc.constantFrom('', '.0', '.50', 'e2', 'E-1', '.1e+3'))
    .map((parts) => parts.join(''))
  const space = fc.constantFrom('', ' ', '\n', '\t\r\n ')
  fc.assert(
    fc.property(number, number, space, fc.string(), (id, amount, gap, text) => {
      const source = { note: JSON.stringify(text), id, amount_cents: amount, list: `[${gap}${amount}]` }
      const fields = Object.entries(source).map(([key, value]) => `"${key}"${gap}:${gap}${value}`)
      const body = `{"type":"TRANSACTION","obj":{${fields.join(`${gap},${gap}`)}}}`
      expect(readCallback(Buffer.from(body)).signed).toMatchObject({ id, amount_cents: amount })
    }),
    { numRuns: 2000 },
  )
})

test('the last of two equal keys counts for the signature and for SQL', () => {
  const body = Buffer.from('{"type": "TRANSACTION", "obj": {"id": 1, "id": 2}}')
  expect(readCallback(body).signed?.['id']).toBe('2')
})

test('hints are short texts, and never an object', () => {
  const { hints } = readObject({
    ...approved.obj,
    parent_transaction: { a: 1 },
    data: { message: `a\u0000\ud83d${'x'.repeat(500)}` },
  })
  expect(hints).toMatchObject({ merchant_order_id: 'plinth-order-1', is_refund: 'false' })
  expect(hints['message']).toMatch(/^a\ufffdx{198}$/)
  expect(hints).not.toHaveProperty('parent_transaction')
})

test('a TOKEN has fields of its own, and other types have none', () => {
  const { signed = {} } = readObject({ token: 't', id: 7, email: 'a@example.com' }, 'TOKEN')
  const text = tokenFields.map((field) => signed[field]).join('')
  expect(text).toBe('a@example.com7t')
  const hmac = createHmac('sha512', secret).update(text).digest('hex')
  expect(isSignedBy([secret], tokenFields, signed, hmac)).toBe(true)
  expect(readObject({}, 'DELIVERY_STATUS')).toEqual({ type: 'DELIVERY_STATUS', signed: undefined, hints: {} })
})

describe('is refused', () => {
  test.each([
    ['an empty body', ''],
    ['no JSON', 'paid'],
    ['half JSON', '{"type": "TRANSACTION", "obj": {'],
    ['a number', '1'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no type', '{"obj": {}}'],
    ['a type that is null', '{"type": null, "obj": {}}'],
    ['no obj', '{"type": "TRANSACTION"}'],
    ['a list as obj', '{"type": "TRANSACTION", "obj": []}'],
    ['an object as amount', '{"type": "TRANSACTION", "obj": {"amount_cents": {}}}'],
    ['a list as success', '{"type": "TRANSACTION", "obj": {"success": [true]}}'],
    ['a NUL in a text', '{"type": "TRANSACTION", "obj": {"created_at": "\\u0000"}}'],
    ['half an emoji', '{"type": "TRANSACTION", "obj": {"currency": "\\ud83d"}}'],
    ['deep nesting', `{"type": "TRANSACTION", "obj": ${'['.repeat(32_000)}${']'.repeat(32_000)}}`],
    ['a byte-order mark alone', '\ufeff'],
  ])('%s', (_what, body) => {
    expect(() => readCallback(Buffer.from(body))).toThrow(CallbackError)
  })

  test('bytes that are not UTF-8', () => {
    expect(() => readCallback(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow(CallbackError)
  })
})

test('any JSON is read or refused with a CallbackError', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom('TRANSACTION', 'TOKEN', 'X'), (obj, type) => {
      try {
        const { signed } = readObject(obj, type)
        for (const text of Object.values(signed ?? {})) expect(text).toBeTypeOf('string')
      } catch (error) {
        expect(error).toBeInstanceOf(CallbackError)
      }
    }),
    { numRuns: 2000 },
  )
})
