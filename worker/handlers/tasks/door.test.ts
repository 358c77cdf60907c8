import pg from 'pg'
import { expect, test } from 'vitest'
import type { Db } from '../../shared/db.ts'
import { createTaskDoor } from './door.ts'

const step = { id: 7, fence: 3, signal: new AbortController().signal }
const task = {
  ...{ task_id: crypto.randomUUID(), mandate: 'Plan.', max_ticks: 50, tick: 0, state: null, question: null },
  ...{ answer: null, is_closed: false, answer_within_ms: 1000, buying_is_stopped: false },
}

/** A database whose calls get these answers, one after another. */
function answering(...answers: (object | Error)[]) {
  const calls: unknown[] = []
  const call = async (name: string, args: unknown) => {
    calls.push([name, args])
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return [{ [name.replace('worker.', '')]: answer }]
  }
  return { db: { call } as unknown as Db, calls }
}

function failed(code: string, detail: string): Error {
  const cause = Object.assign(new pg.DatabaseError('It failed.', 0, 'error'), { code, detail })
  return new Error('worker.read_task failed: It failed.', { cause })
}

test('names the step and its fence, so that a worker reads only the task of a step that it holds', async () => {
  const { db, calls } = answering(task, task)
  const door = createTaskDoor(db)
  expect(await door.start(step)).toMatchObject({ mandate: 'Plan.', state: null })
  expect(await door.read(step)).toMatchObject({ mandate: 'Plan.' })
  const args = { step_id: 7, fence: 3 }
  expect(calls).toEqual([
    ['worker.start_task', args],
    ['worker.read_task', args],
  ])
})

test('waits through an outage of the database', async () => {
  const { db, calls } = answering(failed('57P01', ''), task)
  expect(await createTaskDoor(db).read(step)).toMatchObject({ max_ticks: 50 })
  expect(calls).toHaveLength(2)
})

test('fails a step that the worker does not hold any more', async () => {
  const { db } = answering(failed('PT409', 'step_lost'))
  await expect(createTaskDoor(db).read(step)).rejects.toMatchObject({ slug: 'step_lost', isPermanent: false })
})

test('names the fields of an answer that it does not understand, and none of their values', async () => {
  const { db } = answering({
    ...task,
    mandate: 7,
    question: { tick: 1, text: 'A secret?', schema: { type: 'secret' } },
  })
  const error: Error = await createTaskDoor(db)
    .read(step)
    .catch((error) => error)
  expect(error.message).toContain('mandate')
  expect(error.message).not.toContain('secret')
})
