import { expect, test } from 'vitest'
import { readValues } from './read_schema.ts'

test.each([
  ["CHECK ((kind = ANY (ARRAY['text'::text, 'image'::text])))", ['text', 'image']],
  ["CHECK ((kind = ANY (ARRAY['it''s'::text])))", ["it's"]],
  [
    `CHECK (
CASE
    WHEN (finished_at IS NULL) THEN (kind = ANY (ARRAY['open'::text]))
    ELSE (kind = ANY (ARRAY['done'::text, 'failed'::text]))
END)`,
    ['open', 'done', 'failed'],
  ],
  ["CHECK (((kind = '{read}'::text[]) OR (kind = '{read,write}'::text[])))", ['read', 'write']],
])('reads the values that a check allows: %s', (definition, values) => {
  expect(readValues(definition, 'kind')).toEqual(values)
})

test.each([
  "CHECK ((other = ANY (ARRAY['text'::text])))",
  "CHECK (((kind = 'open'::text) = (ended_at IS NULL)))",
  "CHECK (((status = ANY (ARRAY['paid'::text])) = (paid_at IS NOT NULL)))",
  "CHECK ((kind = ANY (ARRAY['text'::text]) OR (size > 1)))",
  "CHECK ( CASE WHEN (kind = ANY (ARRAY['grant'::text])) THEN (amount > 0) ELSE (amount < 0) END)",
  "CHECK ((kind ~ '^[a-z]+$'::text))",
])('reads no values from a check that allows others: %s', (definition) => {
  expect(readValues(definition, 'kind')).toBeUndefined()
})
