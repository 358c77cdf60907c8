import { defineHandler, Reschedule, StepError } from '../../steps/define_handler.ts'
import type { AgentTaskContext } from './deps.ts'
import { fitNotes, noteAnswer } from './notes.ts'
import { openTurn } from './open_turn.ts'
import { loadPrompts } from './prompts.ts'
import { type TaskState, taskDocuments } from './task_documents.ts'
import { buyTick } from './tick.ts'

/** How long a task waits before it looks again whether buying is allowed. */
const stoppedMs = 60_000

/**
 * Works on an agent task: one tick per turn. The database stores the state of a finished tick before the next tick begins, so a
 * stored tick is never bought again. While the task waits for an answer of its owner, the next turn is due at the deadline.
 */
export default defineHandler({
  ...taskDocuments.run_task,
  async run(input, context: AgentTaskContext) {
    const { model } = input
    const isFirst = context.state === null
    const { task, saved, asked, readAnswerMs } = await openTurn(input, context)
    const { max_ticks } = task
    if (asked?.is_closed) throw answerMissing(asked.answer_within_ms)
    if (asked !== null && asked.answer === null && saved !== null) {
      const { tick: _, ...question } = asked.question
      return new Reschedule({ ...saved, question, is_settled: false }, asked.answer_within_ms)
    }
    // The owner may have lowered max_ticks before the task was retried.
    if (saved !== null && saved.tick >= max_ticks) return stop(saved)
    // The question is answered. The database keeps question and answer until a finished tick has used the answer.
    if (context.buyingIsStopped) {
      return new Reschedule(saved && { ...saved, question: null, is_settled: asked === null }, stoppedMs)
    }

    const prompts = await loadPrompts(context, isFirst ? undefined : saved?.template_version)
    const { notes, ...rest } = saved ?? begin(model, prompts.version)
    const before = {
      ...rest,
      notes: asked?.answer ? [...notes, noteAnswer(asked.question, asked.answer.value)] : notes,
    }
    const { isDone, ...ticked } = await buyTick(task, before, { model, prompts }, context)
    const { tick, result, usage } = ticked
    if (isDone) return { tick, result, usage }
    if (tick >= max_ticks) return stop(ticked)

    const source = { model, mandate: task.mandate, prompts }
    const is_settled = ticked.question === null
    const after = { ...ticked, is_settled, ...(await fitNotes(ticked.notes, usage, source, context)) }
    return new Reschedule(after, is_settled ? 0 : await readAnswerMs(), { resetsCounts: true })
  },
})

/** The state of a task before its first tick. */
function begin(model: string, template_version: string): TaskState {
  const usage = { model, input_tokens: 0, output_tokens: 0, calls: 0 }
  return { tick: 0, result: { text: '' }, question: null, usage, notes: [], template_version, is_settled: false }
}

/** The output of a task that has used all its ticks. */
function stop({ tick, result, usage }: TaskState) {
  return { tick, result: { ...result, stopped_by: 'max_ticks' as const }, usage }
}

function answerMissing(withinMs: number): StepError {
  const message = `The question was not answered within ${inWords(withinMs)}. Retry the task to be asked again.`
  return new StepError('answer_missing', message, { isPermanent: true })
}

/** A duration in the largest unit that fits: "7 days", "1 hour", "90 seconds". */
function inWords(ms: number): string {
  const [size, unit] = (
    [
      [86_400_000, 'day'],
      [3_600_000, 'hour'],
      [60_000, 'minute'],
    ] as const
  ).find(([size]) => ms % size === 0) ?? [1000, 'second']
  const number = Math.ceil(ms / size)
  return `${number} ${unit}${number === 1 ? '' : 's'}`
}
