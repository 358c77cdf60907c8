import { BlockedError } from '../../adapters/gemini_answers.ts'
import { RefusedError, readRefusal } from '../../adapters/gemini_refusals.ts'
import { StepError } from '../../steps/define_handler.ts'

/**
 * Rewords a failure of Gemini for the user of the studio, who chose a photo and settings and wrote no prompt. Always throws.
 */
export function explain(error: unknown): never {
  if (error instanceof BlockedError) {
    throw new StepError('image_blocked', `The model refuses this photo: ${describe(error.reason)} Use another photo.`, {
      isPermanent: true,
      cause: error,
    })
  }
  if (isUnreadable(error)) {
    const message = 'The model cannot read this photo. Upload another one, or save it as JPEG first.'
    throw new StepError('original_invalid', message, { isPermanent: true, cause: error })
  }
  throw error
}

function describe(reason: string): string {
  const policy = reason.replace(/^IMAGE_/, '')
  return (
    (Object.hasOwn(reasons, policy) ? reasons[policy] : undefined) ??
    'the photo or the result may break a rule of the model.'
  )
}

/** By Gemini's word for a policy. */
const reasons: Record<string, string> = {
  SAFETY: 'the photo or the result may show something unsafe.',
  PROHIBITED_CONTENT: 'the photo or the result may show something forbidden.',
  BLOCKLIST: 'the settings have a word that is forbidden.',
  SPII: 'the photo may show private data, such as a document.',
  RECITATION: 'the result would be too similar to an existing work.',
}

/** Whether Gemini refused the request because of its image. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof StepError) || error.slug !== 'provider_refused') return false
  const { cause } = error
  return (
    cause instanceof RefusedError &&
    (cause.status === 413 || /\bimage\b|\bpayload size\b/i.test(readRefusal(cause).message))
  )
}
