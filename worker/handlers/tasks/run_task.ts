import { defineHandler, Reschedule, StepError } from '../../steps/define_handler.ts'
import type { AgentTaskContext } from './deps.ts'
import { fitNotes, noteAnswer } from './notes.ts'
import { loadPrompts } from './prompts.ts'
import { state as stateSchema, type TaskState, taskDocuments } from './task_documents.ts'
import { buyTick } from './tick.ts'

/** How long a task waits before it looks again whether buying is allowed. */
const stoppedMs = 60_000

/**
 * Works on an agent task: one tick per turn. The database stores the state of a finished tick before the next tick begins, so a
 * stored tick is never bought again. While the task waits for an answer of its owner, the next turn is due at the deadline.
 */
export default defineHandler({
  ...taskDocuments.run_task,
  async run({ model }, context: AgentTaskContext) {
    const isFirst = context.state === null
    const task = await (isFirst ? context.deps.tasks.start(context) : context.deps.tasks.read(context))
    const saved = isFirst ? (task.state ?? null) : stateSchema.parse(context.state)
    const { question, answer, max_ticks } = task
    if (task.is_closed) throw answerMissing(task.answer_within_ms)
    if (question !== null && answer === null && saved !== null) {
      const { tick: _, ...asked } = question
      return new Reschedule({ ...saved, question: asked }, task.answer_within_ms)
    }
    // The owner may have lowered max_ticks before the task was retried.
    if (saved !== null && saved.tick >= max_ticks) return stop(saved)
    // The question is answered. The database keeps question and answer until a finished tick has used the answer.
    if (task.buying_is_stopped) return new Reschedule(saved && { ...saved, question: null }, stoppedMs)

    const prompts = await loadPrompts(context, isFirst ? undefined : saved?.template_version)
    const { notes, ...rest } = saved ?? begin(model, prompts.version)
    const before = { ...rest, notes: question && answer ? [...notes, noteAnswer(question, answer.value)] : notes }
    const { isDone, ...ticked } = await buyTick(task, before, { model, prompts }, context)
    const { tick, result, usage } = ticked
    if (isDone) return { tick, result, usage }
    if (tick >= max_ticks) return stop(ticked)

    context.progress(tick / max_ticks)
    const source = { model, mandate: task.mandate, prompts }
    const after = { ...ticked, ...(await fitNotes(ticked.notes, usage, source, context)) }
    return new Reschedule(after, after.question === null ? 0 : task.answer_within_ms, { resetsCounts: true })
  },
})

/** The state of a task before its first tick. */
function begin(model: string, template_version: string): TaskState {
  const usage = { model, input_tokens: 0, output_tokens: 0, calls: 0 }
  return { tick: 0, result: { text: '' }, question: null, usage, notes: [], template_version }
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
