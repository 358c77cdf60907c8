import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@supabase/supabase-js'
import type { Database, Task } from '../../db/client_types.ts'
import { must, type Stage, timed } from './act.ts'

/** Submits a task, watches its ticks, answers its question, and cancels another one. */
export async function runTasks({ url, anonKey, env, tokenFor, step }: Stage): Promise<void> {
  const standIn = env['GEMINI_BASE_URL']
  if (standIn === undefined) {
    step('This stack uses the real Gemini, which costs money: this act is skipped')
    return
  }
  const token = await tokenFor('ana@example.com')
  const ana = createClient<Database>(url, anonKey, { accessToken: async () => token })
  const behave = (latencyMs: number) =>
    fetch(`${standIn}/stand-in`, { method: 'PUT', body: JSON.stringify({ latencyMs }) })
  const submit = (mandate: string) => timed(() => ana.rpc('submit_task', { mandate }).throwOnError())
  // The stand-in is too fast to watch.
  await behave(200)
  try {
    const asked = await submit('Plan a trip in 4 ticks. Ask me to choose sea, hills or woods.')
    const { id } = asked.value.data
    step('Ana submits a task: its row and its run exist', asked.ms)

    const asking = await timed(() => watch(ana, id, 0, step))
    const question = asking.value.result?.question
    must(asking.value.status === 'input_required' && question !== undefined, 'the task asks no question')
    const schema = question?.schema ?? { enum: [] }
    step(`  “${question?.text}” ${'enum' in schema ? schema.enum.join(', ') : schema.type}`)
    const answer = { id, tick: question?.tick ?? 0, answer: 'hills' }
    const answered = await timed(() => ana.rpc('answer_task', answer).throwOnError())
    step('Ana answers: hills', answered.ms)
    const done = await timed(() => watch(ana, id, answer.tick, step))
    must(done.value.status === 'completed', `the task is ${done.value.status}`)
    const lines = done.value.result?.text.split('\n') ?? []
    must(lines.includes('You answered "hills".'), 'the result does not know the answer')
    step(`  → ${lines.length} lines, the last one: ${lines.at(-1)}`)

    const second = (await submit('Write a very long book in 500 ticks.')).value.data
    const cancelled = await timed(() => ana.rpc('cancel_task', { id: second.id }).throwOnError())
    must(cancelled.value.data.status === 'cancelled', 'the other task was not cancelled')
    step('She submits another task, and cancels it', cancelled.ms)
  } finally {
    await behave(0)
  }
}

/** Shows each tick that finishes after this one, until the task ends or asks a question. */
async function watch(
  ana: ReturnType<typeof createClient<Database>>,
  id: string,
  after: number,
  step: Stage['step'],
): Promise<Task> {
  const start = performance.now()
  let shown = after
  for (const end = Date.now() + 30_000; ; await sleep(50)) {
    const { data: task } = await ana.from('tasks').select().eq('id', id).single().throwOnError()
    const tick = task.tick ?? 0
    if (tick !== shown) step(`  tick ${tick}, ${task.status}`, performance.now() - start)
    shown = tick
    if (['completed', 'error', 'cancelled', 'input_required'].includes(task.status)) return task
    must(Date.now() < end, 'the task did not end within 30 seconds')
  }
}
