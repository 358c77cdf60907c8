import { z } from 'zod'
import type { Picture } from '../../adapters/gemini.ts'
import { defineHandler, Reschedule, StepError } from '../../steps/define_handler.ts'
import { buildPrompt, loadReferences } from './drama.ts'
import { dramaDocuments } from './drama_documents.ts'

/** What is kept while Gemini makes the video: all that is needed to go on, in whatever process. */
const saved = z.object({ operation: z.string().nullable(), started_at: z.number(), failed: z.number() })
const none = { operation: null, started_at: 0, failed: 0 }
const image = z.object({ url: z.string() })
const maxMs = 3_600_000
const operationsMax = 3

/** The video of a scene, from its image if there is one: begins it, asks for it from time to time, and puts it. */
export default defineHandler({
  ...dramaDocuments.generate_video,
  async run({ drama_id, model, language, style, prompt, references }, context) {
    const { deps, signal, outputs, progress } = context
    const state = saved.parse(context.state ?? none)
    if (state.operation === null) {
      const first = image.safeParse(outputs['image']).data?.url
      const [text, pictures] = await Promise.all([
        buildPrompt(context, 'scene_video_prompt', language, { prompt, style }),
        loadReferences([...references, ...(first === undefined ? [] : [first])].slice(0, 1), context),
      ])
      const [picture] = pictures
      const operation = await deps.gemini.startVideo({
        model,
        prompt: text,
        ...(picture && { image: picture }),
        signal,
      })
      progress(0.1)
      return new Reschedule({ ...state, operation, started_at: Date.now() }, deps.gemini.videoPollMs)
    }

    const { operation } = state
    let video: Picture
    try {
      const uri = await deps.gemini.pollVideo({ operation, signal })
      if (uri === undefined) {
        if (Date.now() - state.started_at > maxMs) {
          throw new StepError('provider_timed_out', 'Gemini has not made the video within an hour.', {
            isPermanent: true,
          })
        }
        progress(0.5)
        return new Reschedule(state, deps.gemini.videoPollMs)
      }
      progress(0.9)
      video = await deps.gemini.loadVideo({ uri, signal })
    } catch (error) {
      // Asked again, this operation would say the same.
      if (!(error instanceof StepError && error.slug === 'video_failed')) throw error
      if (state.failed + 1 === operationsMax) throw giveUp(error)
      context.logger.warn({ err: error }, 'Video is begun anew')
      return new Reschedule({ ...none, failed: state.failed + 1 }, deps.gemini.videoPollMs)
    }
    const { bytes, mimeType } = video
    const url = await deps.assets.put({ dramaId: drama_id, bytes, mimeType, signal })
    return { url, mime_type: mimeType, bytes: bytes.length }
  },
})

function giveUp(cause: Error): StepError {
  return new StepError('video_failed', cause.message, { isPermanent: true, cause })
}
