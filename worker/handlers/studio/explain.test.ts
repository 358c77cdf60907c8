import { expect, test } from 'vitest'
import { BlockedError } from '../../adapters/gemini_answers.ts'
import { RefusedError } from '../../adapters/gemini_refusals.ts'
import { StepError } from '../../steps/define_handler.ts'
import { explain } from './explain.ts'

const blocked = (reason: string) => new BlockedError('provider_refused', 'Gemini refuses to answer.', reason)
const refused = (status: number, message: string) =>
  new StepError('provider_refused', 'Gemini refuses the request.', {
    isPermanent: true,
    cause: new RefusedError(status, JSON.stringify({ error: { message } }), new Headers()),
  })

test.each([
  [
    blocked('IMAGE_SAFETY'),
    'The model refuses this photo: the photo or the result may show something unsafe. Use another photo.',
  ],
  [
    blocked('BLOCKLIST'),
    'The model refuses this photo: the settings have a word that is forbidden. Use another photo.',
  ],
  [
    blocked('__proto__'),
    'The model refuses this photo: the photo or the result may break a rule of the model. Use another photo.',
  ],
])('says in words for a user why %s was refused', (error, message) => {
  expect(() => explain(error)).toThrow(expect.objectContaining({ slug: 'image_blocked', isPermanent: true, message }))
})

test.each([
  refused(400, 'Unable to process input image. Please retry or report.'),
  refused(413, 'Request Entity Too Large'),
  refused(400, 'Request payload size exceeds the limit: 20971520 bytes.'),
])('blames the photo if Gemini cannot read it', (error) => {
  expect(() => explain(error)).toThrow(expect.objectContaining({ slug: 'original_invalid', isPermanent: true }))
})

test.each([refused(400, 'The schema has too many states.'), new Error('fetch failed')])(
  'passes other errors on',
  (error) => {
    expect(() => explain(error)).toThrow(error)
  },
)
