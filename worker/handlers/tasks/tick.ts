import { StepError } from '../../steps/define_handler.ts'
import { clip } from '../clip.ts'
import type { AgentTaskContext } from './deps.ts'
import { choiceMax, choicesMax, noteMax, notesMax, questionMax, resultMax } from './limits.ts'
import type { Prompts } from './prompts.ts'
import { type Question, type TaskState, type TickAnswer, tickAnswer, type Work } from './task_documents.ts'
import { addUsage } from './usage.ts'

/** A finished tick, before its notes are fitted into the state. */
type Ticked = TaskState & { isDone: boolean }

/** Buys one tick of a task from Gemini. `before` is the state after the last tick; its notes include the user's answer. */
export async function buyTick(
  task: Work,
  before: TaskState,
  { model, prompts }: { model: string; prompts: Prompts },
  { deps, signal }: AgentTaskContext,
): Promise<Ticked> {
  const tick = before.tick + 1
  const { max_ticks } = task
  const data = {
    mandate: clip(task.mandate, Number.POSITIVE_INFINITY),
    result: before.result.text,
    notes: before.notes,
  }
  const { value, usage } = await deps.gemini
    .writeJson({
      model,
      system: prompts.fill('tick_system'),
      prompt: prompts.fill('tick_prompt', {
        data: { tick, max_ticks, ...data },
        tick,
        max_ticks,
        is_last: tick >= max_ticks,
      }),
      schema: tickAnswer,
      signal,
    })
    .catch((error: unknown) => {
      throw explainRefusal(error)
    })
  const text = clip(value.result, resultMax)
  return {
    tick,
    result: { text: text === '' ? before.result.text : text },
    question: value.done ? null : readQuestion(value.question),
    usage: addUsage(before.usage, usage),
    notes: [...before.notes, ...readNotes(value.notes)],
    template_version: prompts.version,
    is_settled: false,
    isDone: value.done,
  }
}

function readNotes(notes: string[]): string[] {
  return notes
    .map((note) => clip(note, noteMax))
    .filter((note) => note.trim() !== '')
    .slice(0, notesMax)
}

/** Turns Gemini's question into a question with the JSON Schema of its answer; null if it has no text. */
function readQuestion(question: TickAnswer['question']): Question | null {
  const text = clip(question?.text ?? '', questionMax).trim()
  if (!question || text === '') return null
  if (question.kind === 'number' || question.kind === 'boolean') return { text, schema: { type: question.kind } }
  const choices = new Set((question.choices ?? []).map((choice) => clip(choice, choiceMax).trim()))
  choices.delete('')
  if (question.kind === 'choice' && choices.size > 0)
    return { text, schema: { enum: [...choices].slice(0, choicesMax) } }
  return { text, schema: { type: 'string' } }
}

/** Rewords a refusal of Gemini, because the owner of a task can change the mandate, but no prompt. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof StepError) || !error.isPermanent) return error
  if (error.slug !== 'prompt_blocked' && error.slug !== 'provider_refused') return error
  const message =
    'Gemini refuses to work on this task. Submit a task with another mandate. If Gemini refuses every task, tell the operator.'
  return new StepError(error.slug, message, { isPermanent: true, cause: error })
}
