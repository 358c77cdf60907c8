import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { freePort } from '../../local/ports.ts'
import { startGeminiStandIn } from '../../local/services.ts'
import { atMost, type Figure, median, type Section, say } from '../report.ts'
import type { TasksStage, User } from './stage.ts'

const users = 100
/** Tasks of one request. */
const together = 10
const workers = 2
const concurrency = 10

/**
 * Measures how long the tasks of 100 users wait whose plan has no quotas. The users submit in waves: in each wave, each user
 * sends a request with ten tasks, in random order, 20 requests at a time. Two worker processes work at the same time; each task
 * takes one tick, and the stand-in for Gemini answers at once.
 */
export async function measureWaiting(stage: TasksStage, burst: number): Promise<Section> {
  const { cluster } = stage
  const admin = await stage.open('waiting')
  const all = await stage.addUsers(admin, users)
  const url = await stage.serve('waiting')
  const port = await freePort()
  const standIn = `http://127.0.0.1:${port}`
  const gemini = await startGeminiStandIn(cluster.home, port)
  await fetch(`${standIn}/stand-in`, { method: 'PUT', body: JSON.stringify({ taskTicks: 1 }) })
  const stops: (() => Promise<void>)[] = [() => gemini.stop('SIGTERM', 3000)]
  try {
    for (let n = 1; n <= workers; n++) {
      stops.push(
        await stage.startWorker('waiting', `worker-${n}`, {
          // Workers of tasks alone need no store.
          WORKER_TYPES: 'run_task',
          WORKER_STEP_CONCURRENCY: String(concurrency),
          GEMINI_API_KEY: 'stand-in',
          GEMINI_BASE_URL: standIn,
        }),
      )
    }
    say(`Waiting: a warm-up, then ${burst.toLocaleString('en')} tasks of ${users} users …`)
    await submit(url, all, users * together)
    await untilEnded(admin)
    await admin.query('delete from public.tasks')
    const from = performance.now()
    const sent = await submit(url, all, burst)
    await untilEnded(admin)
    const seconds = (performance.now() - from) / 1000
    const waits = await readWaits(admin, sent)
    return {
      bars: (['started', 'completed'] as const).map((end) => {
        const medians = waits.map((one) => one[end])
        return atMost(
          `${sent.toLocaleString('en')} tasks of ${users} users, until ${end}: largest median wait of a user, against the smallest`,
          Math.max(...medians) / Math.min(...medians),
          1.5,
        )
      }),
      figures: [
        ...(['started', 'completed'] as const).flatMap((end): Figure[] => {
          const medians = waits.map((one) => one[end])
          return [
            { name: `median wait of a user until ${end}: smallest`, value: Math.min(...medians), unit: 's' },
            { name: `median wait of a user until ${end}: middle`, value: median(medians), unit: 's' },
            { name: `median wait of a user until ${end}: largest`, value: Math.max(...medians), unit: 's' },
          ]
        }),
        { name: `tasks of one tick, ${workers} workers`, value: sent / seconds, unit: '/s' },
      ],
    }
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

/** Submits the tasks, 20 requests at a time, and returns how many. */
async function submit(url: string, all: User[], tasks: number): Promise<number> {
  const perUser = Math.ceil(tasks / all.length / together)
  // The clients take requests from the end of the list.
  const requests = Array.from({ length: perUser }, (_, wave) => shuffle(all, wave + 1)).flat()
  const body = JSON.stringify(Array.from({ length: together }, (_, n) => ({ mandate: `Plan garden ${n} in 1 tick.` })))
  const sent = requests.length * together
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let user = requests.pop(); user !== undefined; user = requests.pop()) {
        const headers = { ...user.headers, 'content-type': 'application/json', prefer: 'return=minimal' }
        const response = await fetch(`${url}/tasks`, { method: 'POST', headers, body })
        const text = await response.text()
        // Too many requests of the user run at this moment, so the client repeats the request later.
        if (response.status === 429) {
          await sleep(200)
          requests.push(user)
        } else if (!response.ok) throw new Error(`POST /tasks answered ${response.status}: ${text}`)
      }
    }),
  )
  return sent
}

async function untilEnded(admin: pg.Client): Promise<void> {
  const open = `select status from public.tasks
    where status in ('pending', 'accepted', 'started', 'in_progress', 'input_required') limit 1`
  while ((await admin.query(open)).rowCount !== 0) await sleep(100)
}

/** Returns the median wait of each user in seconds. */
async function readWaits(admin: pg.Client, tasks: number): Promise<{ started: number; completed: number }[]> {
  const { rows } = await admin.query<{ started: number; completed: number; tasks: number }>(
    `select
       percentile_cont(0.5) within group (order by extract(epoch from j.started_at - t.created_at)) as started,
       percentile_cont(0.5) within group (order by extract(epoch from j.finished_at - t.created_at)) as completed,
       count(*)::integer as tasks
     from public.tasks as t
     join public.jobs as j on j.id = t.run_id
     where t.status = 'completed' and t.tick = 1
     group by t.user_id`,
  )
  const ended = rows.reduce((sum, row) => sum + row.tasks, 0)
  if (ended !== tasks) throw new Error(`${ended} of ${tasks} tasks are completed after one tick`)
  return rows
}

/** Puts a list into a random order, which is the same for the same seed. */
function shuffle<T>(list: T[], seed: number): T[] {
  let state = seed
  const random = () => {
    state = (state * 48_271) % 2_147_483_647
    return state
  }
  return list
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value)
}
