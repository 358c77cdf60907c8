import { expect, test } from 'vitest'
import { readOperation } from './gemini_operations.ts'

const uri = 'https://generativelanguage.googleapis.com/v1beta/files/x:download?alt=media'
const sample = { video: { uri } }
const done = (response: unknown) => ({ name: 'models/m/operations/x', done: true, response })
const failure = (answer: unknown): unknown => {
  try {
    return readOperation(answer)
  } catch (error) {
    return error
  }
}

test.each<[string, unknown]>([
  ['generateVideoResponse.generatedSamples', done({ generateVideoResponse: { generatedSamples: [sample] } })],
  ['generateVideoResponse.generatedVideos', done({ generateVideoResponse: { generatedVideos: [sample] } })],
  ['generatedSamples', done({ generatedSamples: [sample] })],
  ['generatedVideos', done({ generatedVideos: [sample] })],
  ['videos', done({ videos: [{ uri, mimeType: 'video/mp4' }] })],
  ['the second sample, after a filtered one', done({ generatedSamples: [{}, sample], raiMediaFilteredCount: 1 })],
  ['the second sample, after null', done({ generatedSamples: [null, sample] })],
  ['an operation without a name', { done: true, response: { generatedSamples: [sample] } }],
  ['an operation with an error of code 0', { ...done({ generatedSamples: [sample] }), error: { code: 0 } }],
])('finds the video in %s, so that it is not bought again', (_what, answer) => {
  expect(readOperation(answer)).toEqual({ uri })
})

test.each([
  ['encodedVideo', { generateVideoResponse: { generatedSamples: [{ video: { encodedVideo: 'AAAA' } }] } }],
  ['bytesBase64Encoded', { videos: [{ bytesBase64Encoded: 'AAAA', mimeType: 'video/mp4' }] }],
  ['bytes and a place in a cloud storage', { videos: [{ gcsUri: 'gs://b/x.mp4', bytesBase64Encoded: 'AAAA' }] }],
])('finds the bytes of a video: %s', (_what, response) => {
  expect(readOperation(done(response))).toEqual({ data: 'AAAA' })
})

test.each<[string, unknown]>([
  ['a name alone', { name: 'x' }],
  ['metadata', { name: 'x', metadata: {} }],
  ['a video already', { name: 'x', response: { generatedSamples: [sample] } }],
  // The operation may still succeed, and another one costs as much again.
  ['an internal error', { name: 'x', done: false, error: { code: 13, message: 'Internal.' } }],
  ['an empty error', { name: 'x', error: {} }],
])('waits for an operation that is not done, with %s', (_what, answer) => {
  expect(readOperation(answer)).toBeUndefined()
})

test.each<[string, unknown]>([
  ['without a code', { message: 'Something.' }],
  ['empty', {}],
  ['a code as a text', { code: '13', message: 'Something.' }],
  ['a status of HTTP', { code: 500, message: 'Something.' }],
  ['busy', { code: 429, message: 'Something.' }],
  ['a name instead of a code', { status: 'INTERNAL' }],
  ['a text', 'Something.'],
  ['a code that cannot be read', { code: { valueOf: 1, toString: 1 } }],
])('another operation may succeed after an error: %s', (_what, error) => {
  const expected = { slug: 'video_failed', isPermanent: false, dropsState: true }
  expect(failure({ name: 'x', done: true, error })).toMatchObject(expected)
})

test.each<[string, unknown]>([
  ['3', { code: 3, message: 'Bad prompt.' }],
  ['3 as a text', { code: '3', message: 'Bad prompt.' }],
  ['a status of HTTP', { code: 400, message: 'Bad prompt.' }],
  ['a name instead of a code', { status: 'INVALID_ARGUMENT', message: 'Bad prompt.' }],
])('no other operation is bought after a refusal: %s', (_what, error) => {
  const expected = { slug: 'provider_refused', isPermanent: true, dropsState: true, message: /Bad prompt/ }
  expect(failure({ name: 'x', done: true, error })).toMatchObject({
    ...expected,
    message: expect.stringMatching(expected.message),
  })
})

test.each<[string, unknown, string]>([
  ['a count as a text', { generateVideoResponse: { raiMediaFilteredCount: '1' } }, 'filter'],
  ['a reason as a text', { generateVideoResponse: { raiMediaFilteredReasons: 'Faces.' } }, 'Faces.'],
  ['outside of generateVideoResponse', { raiMediaFilteredCount: 1, raiMediaFilteredReasons: ['Faces.'] }, 'Faces.'],
])('a filtered video is permanent: %s', (_what, response, said) => {
  const refused = { slug: 'provider_refused', isPermanent: true, dropsState: true }
  expect(failure(done(response))).toMatchObject({ ...refused, message: expect.stringContaining(said) })
})

test.each([[{}], [{ candidates: null }], [done('x')], [{ ...done({}), name: 5 }]])(
  'an answer without the form of an operation keeps the operation: %j',
  (answer) => {
    const unusable = { slug: 'provider_answer_invalid', isPermanent: false, dropsState: false }
    expect(failure(answer)).toMatchObject(unusable)
  },
)
