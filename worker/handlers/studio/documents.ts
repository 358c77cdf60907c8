import { z } from 'zod'

/**
 * The input of both types. All other data come from the database, because inputs are stored for long, and prompts and photos
 * are private data of the user.
 */
export const input = z.object({ generation_id: z.uuid() })

/** The cost of a provider's call; stored in the output of the job. */
export const usage = z.object({
  model: z.string(),
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
})
