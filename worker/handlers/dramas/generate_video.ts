import { z } from 'zod'
import { defineHandler, Reschedule, StepError } from '../../steps/define_handler.ts'
import type { DramaContext } from './deps.ts'
import { buildPrompt, loadReferences } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'

/**
 * The state while Gemini makes the video: there is one from the start of the operation until the operation ends. Any process
 * can continue with it, also a worker of an older release, which needs `failed`. In states of older releases `started_at`
 * comes from the clock of a worker and `clock` is missing, or `operation` is null, because another operation should start.
 * `missed` counts the turns in a row that could not ask for the video, load it or store it.
 */
const saved = z.object({
  operation: z.string().nullable(),
  started_at: z.number(),
  clock: z.literal('database').optional(),
  failed: z.number(),
  missed: z.number().optional(),
})
const none = { operation: null, started_at: 0, failed: 0 }
const image = z.object({ url: z.string() })
const maxMs = 3_600_000
const operationsMax = 3
/** With pauses that double up to five minutes, an outage may last about 25 minutes. */
const missedMax = 8
const pauseMaxMs = 300_000

/** Generates the video of a scene, from the scene's image if there is one: starts it, polls it, stores it. */
export default defineHandler({
  ...dramaDocuments.generate_video,
  async run({ drama_id, model, prompt, style, references, ...setting }, context: DramaContext) {
    const { deps, signal, outputs, now, progress, logger } = context
    deps.media.requireStore()
    const { operation, clock, missed = 0, ...old } = saved.parse(context.state ?? none)
    if (operation === null) {
      // The image of the scene is all that a video depends on.
      const first = image.safeParse(Object.values(outputs)[0]).data?.url
      const [{ text }, pictures] = await Promise.all([
        buildPrompt(context, 'scene_video_prompt', setting, { prompt, style }),
        loadReferences([...references, ...(first === undefined ? [] : [first])].slice(0, 1), context),
      ])
      const [picture] = pictures
      const begun = await deps.gemini.startVideo({
        model,
        prompt: text,
        ...(picture && { image: picture }),
        signal,
      })
      progress(0.1)
      const state = { operation: begun, started_at: now(), clock: 'database', failed: old.failed }
      return new Reschedule(state, deps.gemini.videoPollMs)
    }

    // The hour begins again for a state of an older release, because the clock of its worker may be hours apart.
    const started_at = clock === 'database' ? old.started_at : now()
    const state = { operation, started_at, clock: 'database', failed: old.failed }
    try {
      const found = await deps.gemini.pollVideo({ operation, signal })
      if (found === undefined) {
        if (now() - started_at > maxMs) {
          throw new StepError('provider_timed_out', 'Gemini has not made the video within an hour.', {
            isPermanent: true,
            dropsState: true,
          })
        }
        progress(0.5)
        return new Reschedule(state, deps.gemini.videoPollMs)
      }
      progress(0.9)
      const { bytes, mimeType } =
        typeof found === 'string' ? await deps.gemini.loadVideo({ uri: found, signal }) : found
      const url = await deps.media.put({ dramaId: drama_id, bytes, mimeType, signal })
      return { url, mime_type: mimeType, bytes: bytes.length }
    } catch (error) {
      // A failed operation stays failed, so the next attempt starts another one, up to the third failure of the step.
      const isLast = Math.max(old.failed, context.failures) + 1 >= operationsMax
      if (error instanceof StepError && error.slug === 'video_failed' && isLast) throw giveUp(error)
      if (signal.aborted || !isOutage(error) || missed >= missedMax) throw error
      // The video is paid for, and asking again costs nothing. So an outage counts no failure for a while.
      logger.warn({ missed, err: error }, 'Video was not received')
      return new Reschedule(
        { ...state, missed: missed + 1 },
        Math.min(deps.gemini.videoPollMs * 2 ** (missed + 1), pauseMaxMs),
      )
    }
  },
})

/** Whether a failure says nothing about the operation and names no delay. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof StepError) || error.isPermanent || error.dropsState) return false
  return error.retryInMs === undefined && error.dayEndsInMs === undefined
}

function giveUp(cause: Error): StepError {
  return new StepError('video_failed', cause.message, { isPermanent: true, dropsState: true, cause })
}
