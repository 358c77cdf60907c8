import type pg from 'pg'
import type { Db } from '../../shared/db.ts'
import { patiently } from '../../shared/outage.ts'
import { type Step, StepError } from '../../steps/define_handler.ts'
import { type OpenTask, openTask } from './task_documents.ts'

/** The part of the worker's door that serves agent tasks. It shows a worker only the task whose step the worker holds. */
export type TaskDoor = {
  /** Reads the task of a step on the first turn of its run, and marks the task as started. */
  start(step: OwnStep): Promise<OpenTask>
  /** Reads the task of a step on a later turn. */
  read(step: OwnStep): Promise<OpenTask>
}

type OwnStep = Pick<Step, 'id' | 'fence' | 'signal'>

/** How long a call may take before it is repeated on another connection. */
const timeoutMs = 15_000

export function createTaskDoor(db: Db): TaskDoor {
  async function call(name: 'start_task' | 'read_task', { id, fence, signal }: OwnStep): Promise<OpenTask> {
    try {
      // An outage of the database must not fail the step.
      const rows = await patiently(signal, () =>
        db.call<Record<string, unknown>>(`worker.${name}`, { step_id: id, fence }, { timeoutMs }),
      )
      return openTask.parse(rows[0]?.[name])
    } catch (cause) {
      if (!isStepLost(cause)) throw cause
      throw new StepError('step_lost', 'This step has no task, or another worker has the step now.', { cause })
    }
  }
  return { start: (step) => call('start_task', step), read: (step) => call('read_task', step) }
}

function isStepLost(error: unknown): boolean {
  return ((error as Error).cause as Partial<pg.DatabaseError> | undefined)?.detail === 'step_lost'
}
