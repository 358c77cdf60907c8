import type { AgentTaskContext } from './deps.ts'
import { type OpenTask, state as stateSchema, type TaskInput, type TaskState, type Work } from './task_documents.ts'

/** The facts about a task that a turn needs. */
export type Turn = {
  task: Work
  /** The state of the last finished tick; null before the first one. */
  saved: TaskState | null
  /** The question that is open, closed, or answered without a tick that has used the answer. */
  asked: Asked | null
  /** Returns how long a question may wait for its answer, in milliseconds. */
  readAnswerMs(): Promise<number>
}

type Asked = Pick<OpenTask, 'answer' | 'is_closed' | 'answer_within_ms'> & {
  question: NonNullable<OpenTask['question']>
}

/**
 * Opens a turn. The first turn of a run starts the task. A turn after a question reads the task. Every other turn knows the
 * task from its input, because nobody can change a task whose run is open, so the turn calls no database.
 */
export async function openTurn(input: TaskInput, context: AgentTaskContext): Promise<Turn> {
  const { tasks } = context.deps
  const last = context.state === null ? null : stateSchema.parse(context.state)
  const { mandate, max_ticks } = input
  if (last?.is_settled && mandate !== undefined && max_ticks !== undefined) {
    return {
      task: { mandate, max_ticks },
      saved: last,
      asked: null,
      readAnswerMs: async () => (await tasks.read(context)).answer_within_ms,
    }
  }

  const { question, ...task } = await (last === null ? tasks.start(context) : tasks.read(context))
  return {
    task,
    saved: last ?? task.state ?? null,
    asked: question && { ...task, question },
    readAnswerMs: async () => task.answer_within_ms,
  }
}
