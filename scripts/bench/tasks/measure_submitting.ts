import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadRequest, LoadResult } from '../load.ts'
import { ratio } from '../ratio.ts'
import { atMost, median, type Section, say } from '../report.ts'
import type { TasksStage } from './stage.ts'

const mandate =
  'Plan the garden of a lighthouse: what grows in salt and wind, where each plant stands, and why. '.repeat(3)

/**
 * Measures how long submitting a task takes until its status `accepted` is visible, which is when the request is answered: the
 * answer has the status, and follows the commit. The other side inserts the same text into a table under RLS.
 */
export async function measureSubmitting(stage: TasksStage): Promise<Section> {
  const { generator, rounds, seconds, connections } = stage
  say('Submitting: a warm-up, then rounds …')
  const admin = await stage.open('submitting')
  await admin.query(await readFile(join(import.meta.dirname, 'plain_notes.sql'), 'utf8'))
  const users = await stage.addUsers(admin, connections)
  const url = await stage.serve('submitting')
  const post = (path: string) => ({
    url,
    connections,
    requests: users.map(
      ({ headers }): LoadRequest => ({
        method: 'POST',
        path,
        headers: { ...headers, 'content-type': 'application/json', prefer: 'return=representation' },
        body: JSON.stringify({ mandate }),
      }),
    ),
  })
  const subjects = {
    plain: post('/bench_notes?select=id,status'),
    direct: post('/tasks?select=id,status'),
    call: post('/rpc/submit_task?select=id,status'),
  }
  await requireAccepted(subjects)
  const results: Record<keyof typeof subjects, LoadResult[]> = { plain: [], direct: [], call: [] }
  for (const subject of Object.values(subjects)) await generator.run({ ...subject, seconds: 1 })
  for (let round = 0; round < rounds; round++) {
    for (const [name, subject] of Object.entries(subjects) as [keyof typeof subjects, (typeof subjects)['plain']][]) {
      results[name].push(await generator.run({ ...subject, seconds }))
    }
  }
  const { rows } = await admin.query<{ other: number }>(
    `select count(*)::integer as other from public.tasks where status <> 'accepted'`,
  )
  if (rows[0]?.other !== 0) throw new Error(`${rows[0]?.other} tasks were not accepted`)
  const p50 = (name: keyof typeof subjects) => median(results[name].map((result) => result.p50))
  const figures = Object.entries({
    plain: 'a plain insert under RLS',
    direct: 'POST /tasks, until accepted',
    call: 'submit_task, until accepted',
  } as const).flatMap(([key, name]) => {
    const of = results[key as keyof typeof subjects]
    return [
      { name: `${name}: p50, ${connections} clients`, value: p50(key as keyof typeof subjects), unit: 'ms' },
      { name: `${name}: p99`, value: median(of.map((result) => result.p99)), unit: 'ms' },
      { name: `${name}: requests per second`, value: median(of.map((result) => result.perSecond)), unit: '/s' },
    ]
  })
  return {
    bars: [
      atMost('POST /tasks until accepted: p50, against a plain insert', ratio(results.direct, results.plain, 'p50'), 4),
      atMost('submit_task until accepted: p50, against a plain insert', ratio(results.call, results.plain, 'p50'), 4),
    ],
    figures,
  }
}

/** Requires that the answer of each subject has the status. */
async function requireAccepted(subjects: Record<string, { url: string; requests: LoadRequest[] }>): Promise<void> {
  for (const { url, requests } of Object.values(subjects)) {
    const [request] = requests
    if (!request) throw new Error('A subject needs a request')
    const response = await fetch(`${url}${request.path}`, request as RequestInit)
    const text = await response.text()
    if (!/"status":\s*"accepted"/.test(text)) throw new Error(`${request.path} answered ${response.status}: ${text}`)
  }
}
