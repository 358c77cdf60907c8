import { z } from 'zod'
import { defineHandler } from '../../steps/define_handler.ts'
import type { StudioContext } from './deps.ts'
import { input, usage } from './documents.ts'
import { explain } from './explain.ts'

/**
 * Makes an image of a user's photo. If an attempt fails after it has stored its image, a job deletes the image, because the
 * database knows the key.
 */
export default defineHandler({
  input,
  output: z.object({ object_key: z.string(), mime_type: z.string(), bytes: z.int().positive(), usage }),
  async run(_input, context: StudioContext) {
    const { deps, signal, progress } = context
    const { model, prompt, original, target } = await deps.generations.read(context)
    const { usage, ...image } = await deps.files.withPhoto(original, signal, (photo) => {
      progress(0.2)
      return deps.gemini.drawImage({ model, prompt, references: [photo], signal }).catch(explain)
    })
    progress(0.9)
    const object_key = await deps.files.store(target, image, signal)
    return { object_key, mime_type: image.mimeType, bytes: image.bytes.length, usage }
  },
})
