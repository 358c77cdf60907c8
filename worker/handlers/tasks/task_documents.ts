import { z } from 'zod'

/**
 * The documents of agent tasks: the input and output of step `run_task`, the state between two ticks, a task as the worker's
 * door returns it, and Gemini's answers.
 */

const model = z.string().min(1).max(200)
/** The part of a task that nobody can change while its run is open. */
const work = z.object({ mandate: z.string(), max_ticks: z.int().positive() })
export type Work = z.output<typeof work>

const count = z.int().nonnegative()
/** The cost of a task: the sum of its calls. */
export const usage = z.object({ model, input_tokens: count, output_tokens: count, calls: count })
export type TaskUsage = z.output<typeof usage>

/** A JSON Schema that an answer must match. */
const answerSchema = z.union([
  z.object({ type: z.enum(['string', 'number', 'boolean']) }),
  z.object({ enum: z.array(z.string()) }),
])

/** The state that a finished tick saves. SQL shows `tick`, `result`, `question` and `usage` to the owner (app.record_ticks). */
export const state = z.object({
  tick: count,
  result: z.object({ text: z.string() }),
  question: z.object({ text: z.string(), schema: answerSchema.optional() }).nullable(),
  usage,
  notes: z.array(z.string()),
  /** The version of the prompts. The ticks of a run use one version. */
  template_version: z.string(),
  /** Whether no question is open and no answer is unused, so that the next turn need not read the task. */
  is_settled: z.boolean().default(false),
})
export type TaskState = z.output<typeof state>
export type Question = NonNullable<TaskState['question']>

/** A task as `worker.start_task` and `worker.read_task` return it. */
export const openTask = work.extend({
  /** The state of the last finished tick, if an earlier run finished one. Only `worker.start_task` returns the state. */
  state: state.nullish(),
  /** The question, until a finished tick has used its answer. */
  question: z.object({ tick: count, text: z.string(), schema: answerSchema.optional() }).nullable(),
  answer: z.object({ value: z.unknown() }).nullable(),
  /** The deadline of the question has passed. */
  is_closed: z.boolean(),
  answer_within_ms: z.number().positive(),
})
export type OpenTask = z.output<typeof openTask>

/** Gemini's answer in a tick. The schema limits no lengths, because Gemini refuses schemas with too many states. */
export const tickAnswer = z.object({
  notes: z.array(z.string()),
  result: z.string(),
  done: z.boolean(),
  question: z
    .object({
      text: z.string(),
      kind: z.enum(['text', 'number', 'boolean', 'choice']),
      choices: z.array(z.string()).nullish(),
    })
    .nullish(),
})
export type TickAnswer = z.output<typeof tickAnswer>

export const summaryAnswer = z.object({ summary: z.string().min(1) })

/** By job type: the schemas of its input and output. */
export const taskDocuments = {
  run_task: {
    /** Without mandate and max_ticks if the last release submitted the run. */
    input: work.partial().extend({ model }),
    output: z.object({
      tick: count,
      result: z.object({ text: z.string(), stopped_by: z.literal('max_ticks').optional() }),
      usage,
    }),
  },
} satisfies Record<string, { input: z.ZodType; output: z.ZodType }>
export type TaskInput = z.output<typeof taskDocuments.run_task.input>
