import type { GeminiUsage } from '../../adapters/gemini_answers.ts'
import type { TaskUsage } from './task_documents.ts'

/** Adds the cost of a call to the cost of its task. */
export function addUsage(spent: TaskUsage, { model, input_tokens, output_tokens }: GeminiUsage): TaskUsage {
  const add = (one: number, other: number) => Math.min(one + other, Number.MAX_SAFE_INTEGER)
  return {
    model,
    input_tokens: add(spent.input_tokens, input_tokens),
    output_tokens: add(spent.output_tokens, output_tokens),
    calls: add(spent.calls, 1),
  }
}
