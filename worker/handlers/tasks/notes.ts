import { StepError } from '../../steps/define_handler.ts'
import { clip } from '../clip.ts'
import type { AgentTaskContext } from './deps.ts'
import { answerMax, keptMaxBytes, notesMaxBytes, recentMaxBytes, summaryMax } from './limits.ts'
import type { Prompts } from './prompts.ts'
import { type OpenTask, summaryAnswer, type TaskUsage } from './task_documents.ts'
import { addUsage } from './usage.ts'

/** The note about a question and its answer. */
export function noteAnswer(question: NonNullable<OpenTask['question']>, value: unknown): string {
  return clip(
    `Question of tick ${question.tick}: ${question.text}\nAnswer of the user: ${JSON.stringify(value)}`,
    answerMax,
  )
}

/**
 * Returns notes that fit into the state. If the notes are too large, Gemini summarises the older ones. If the summary fails,
 * the tick still counts, because it is paid for: the notes stay, except the oldest ones if the state has no room for them, and
 * the next tick tries again.
 */
export async function fitNotes(
  notes: string[],
  spent: TaskUsage,
  { model, mandate, prompts }: { model: string; mandate: string; prompts: Prompts },
  { deps, signal, logger }: AgentTaskContext,
): Promise<{ notes: string[]; usage: TaskUsage }> {
  if (countBytes(notes) <= notesMaxBytes) return { notes, usage: spent }
  const recent = keepNewest(notes, recentMaxBytes)
  const older = notes.slice(0, notes.length - recent.length)
  try {
    const { value, usage } = await deps.gemini.writeJson({
      model,
      system: prompts.fill('summary_system'),
      prompt: prompts.fill('summary_prompt', { data: { mandate, notes: older } }),
      schema: summaryAnswer,
      signal,
    })
    return {
      notes: [clip(`Summary of earlier notes: ${value.summary}`, summaryMax), ...recent],
      usage: addUsage(spent, usage),
    }
  } catch (error) {
    const reason = error instanceof StepError ? error.slug : signal.aborted ? 'aborted' : 'unknown'
    logger.warn({ reason, notes: notes.length }, 'Notes were not summarised')
    return { notes: keepNewest(notes, keptMaxBytes), usage: spent }
  }
}

/** The bytes of texts in a JSON array, as Postgres writes it. */
function countBytes(texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(JSON.stringify(text)) + 2, 0)
}

/** Returns the last of these texts: as many as fit into the size. */
function keepNewest(texts: string[], maxBytes: number): string[] {
  let bytes = 0
  const oldest = texts.findLastIndex((text) => {
    bytes += countBytes([text])
    return bytes > maxBytes
  })
  return texts.slice(oldest + 1)
}
