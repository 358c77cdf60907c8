import { z } from 'zod'
import { defineHandler, StepError } from '../../steps/define_handler.ts'
import type { StudioContext } from './deps.ts'
import { input, usage } from './documents.ts'
import { explain } from './explain.ts'

/** Describes a user's photo as JSON that matches the schema of the tool. */
export default defineHandler({
  input,
  output: z.object({ result: z.record(z.string(), z.unknown()), usage }),
  async run(_input, context: StudioContext) {
    const { deps, signal, progress } = context
    const { model, prompt, original, result_schema } = await deps.generations.read(context)
    const schema = readSchema(result_schema)
    const { value, usage } = await deps.files.withPhoto(original, signal, (photo) => {
      progress(0.2)
      const request = { model, prompt, images: [photo], schema, jsonSchema: result_schema ?? {}, signal }
      return deps.gemini.writeJson(request).catch(explain)
    })
    return { result: value as Record<string, unknown>, usage }
  },
})

/** Reads the schema of a tool. An operator writes this schema, and zod may not support all of it. */
function readSchema(schema: Record<string, unknown> | null): z.ZodType {
  try {
    if (schema === null) throw new Error('The tool has no schema.')
    return z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema)
  } catch (cause) {
    throw new StepError('tool_invalid', 'This tool has a fault. Tell the operator.', { isPermanent: true, cause })
  }
}
