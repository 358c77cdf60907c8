import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { z } from 'zod'
import { taskHandlers } from '../../../worker/handlers/tasks/index.ts'
import { defineHandler, type HandlerFactory, Reschedule } from '../../../worker/steps/define_handler.ts'
import { freePort } from '../../local/ports.ts'
import { startGeminiStandIn } from '../../local/services.ts'
import { atMost, join, median, type Section, say } from '../report.ts'
import { watchWaits } from '../watch_waits.ts'
import { type BenchDeps, withWorker } from '../worker.ts'
import type { TasksStage, User } from './stage.ts'

const concurrency = 10
/** The ticks of a task by default. */
const ticksOfTask = 50

/** The competitor: a step that reschedules itself at once and does nothing else. */
const emptyTurn = defineHandler({
  input: z.object({ turns: z.number() }),
  output: z.object({ turn: z.number() }),
  run: ({ turns }, { state }) => {
    const { turn } = z.object({ turn: z.number() }).catch({ turn: 1 }).parse(state)
    return turn < turns ? new Reschedule({ turn: turn + 1 }, 0) : { turn }
  },
})

/**
 * The milliseconds of a turn: all of them, those in which the worker waited for an answer of the provider, and those that the
 * worker's process computed.
 */
type Cost = { ms: number; waitMs: number; cpuMs: number }

/** The runs, and the turns of each run. */
type Size = { runs: number; turns: number }

/**
 * Measures a tick of a task against a turn of a step that only reschedules itself: the same engine, worker process and pool,
 * in turns. A tick makes the prompt, calls the stand-in for Gemini, which answers at once, and stores its state and result.
 *
 * The bar is for the tick without its wait: from the moment when the request is sent until the headers of the answer arrive.
 * Gemini takes seconds to answer, and no design of Plinth can shorten this wait. Everything else counts: making, sending and
 * reading the messages, and all of the database. The ratio of the whole tick is printed, too.
 *
 * The notes of a task grow with each tick, and so does the cost of a tick. The bar is for tasks of 50 ticks, the default of
 * max_ticks. A long task has a figure of its own.
 */
export async function measureTicks(stage: TasksStage, ticks: number): Promise<Section> {
  const admin = await stage.open('ticks')
  await admin.query(`insert into public.job_types (name, max_turns, timeout) values ('empty_turn', 10000, '6 min')`)
  await admin.query(`update public.job_types set owner_running_limit = 20 where name = 'empty_turn'`)
  const [user] = await stage.addUsers(admin, 1)
  if (!user) throw new Error('A task needs a user')
  await admin.query(`select set_config('request.jwt.claims', $1, false)`, [user.claims])
  const port = await freePort()
  const gemini = await startGeminiStandIn(stage.cluster.home, port)
  const waits = watchWaits(port)
  try {
    return await withWorker(
      {
        cluster: stage.cluster,
        database: 'ticks',
        concurrency,
        handlers: { ...taskHandlers, empty_turn: emptyTurn } as Record<string, HandlerFactory<BenchDeps>>,
        geminiEnv: { GEMINI_API_KEY: 'stand-in', GEMINI_BASE_URL: `http://127.0.0.1:${port}` },
      },
      () => compare(admin, user, { ticks, rounds: stage.rounds, readWaitMs: waits.read }),
    )
  } finally {
    waits.stop()
    await gemini.stop('SIGTERM', 3000)
  }
}

async function compare(
  admin: pg.Client,
  user: User,
  { ticks, rounds, readWaitMs }: { ticks: number; rounds: number; readWaitMs: () => number },
): Promise<Section> {
  say('Ticks: a warm-up, then rounds …')
  const tasks = Math.ceil(ticks / ticksOfTask)
  const sets = [
    { name: 'one after the other', atOnce: 1, runs: tasks, turns: ticksOfTask },
    { name: `in a task with ${ticks} ticks`, atOnce: 1, runs: 1, turns: ticks },
    { name: `${concurrency} at a time`, atOnce: concurrency, runs: concurrency, turns: ticksOfTask },
  ]
  const sections: Section[] = []
  for (const { name, atOnce, runs, turns } of sets) {
    await admin.query('update public.plans set tasks_running = $1', [atOnce])
    const emptyTurns = { runs: atOnce, turns: (runs / atOnce) * turns }
    await runTurns(admin, user, { ...emptyTurns, turns: 20 })
    await runTicks(admin, { runs, turns: 20 }, readWaitMs)
    const results: { turn: Cost; tick: Cost }[] = []
    for (let round = 0; round < rounds; round++) {
      results.push({
        turn: await runTurns(admin, user, emptyTurns),
        tick: await runTicks(admin, { runs, turns }, readWaitMs),
      })
    }
    const of = (key: 'turn' | 'tick', cost: keyof Cost) => median(results.map((one) => one[key][cost]))
    const whole = median(results.map(({ turn, tick }) => tick.ms / turn.ms))
    const own = median(results.map(({ turn, tick }) => (tick.ms - tick.waitMs) / turn.ms))
    const bars = [atMost('a tick, without its wait for the provider: against an empty turn', own, 2)]
    const figures = [
      { name: `a tick, ${name}`, value: of('tick', 'ms'), unit: 'ms' },
      { name: `an empty turn, ${name}`, value: of('turn', 'ms'), unit: 'ms' },
      { name: `a tick, ${name}: its wait for the provider`, value: of('tick', 'waitMs'), unit: 'ms' },
      { name: `a tick, ${name}: without its wait, against an empty turn`, value: own, unit: '×' },
      { name: `a tick, ${name}: with its wait, against an empty turn`, value: whole, unit: '×' },
      { name: `a tick, ${name}: the worker computes`, value: of('tick', 'cpuMs'), unit: 'ms' },
      { name: `an empty turn, ${name}: the worker computes`, value: of('turn', 'cpuMs'), unit: 'ms' },
    ]
    sections.push({
      bars: sections.length === 0 ? bars : [],
      // Ticks that run at the same time wait at the same time, so their waits cannot be subtracted.
      figures: atOnce === 1 ? figures : figures.filter(({ name }) => !/ (its|without its) wait/.test(name)),
    })
  }
  return join(sections)
}

/** Runs steps of empty turns, and returns the cost of a turn. */
async function runTurns(admin: pg.Client, user: User, { runs, turns }: Size): Promise<Cost> {
  const spec = JSON.stringify({ key: 'turns', type: 'empty_turn', input: { turns } })
  const stop = startWatch(runs * turns)
  await admin.query('select app.submit_run($1, $2, null) from generate_series(1, $3::integer)', [spec, user.id, runs])
  await untilNone(admin, 'select from app.runs where finished_at is null limit 1')
  const cost = stop()
  await requireNone(admin, `select from public.jobs where type = 'empty_turn' and status <> 'completed'`)
  return cost
}

/** Runs tasks, and returns the cost of a tick. */
async function runTicks(admin: pg.Client, { runs, turns }: Size, readWaitMs: () => number): Promise<Cost> {
  const stop = startWatch(runs * turns, readWaitMs)
  await admin.query(
    `select app.submit_task('Plan garden ' || n || ' in ' || $1::integer || ' ticks.', 500, null)
     from generate_series(1, $2::integer) as n`,
    [turns, runs],
  )
  await untilNone(
    admin,
    `select from public.tasks where status in ('pending', 'accepted', 'started', 'in_progress', 'input_required') limit 1`,
  )
  const cost = stop()
  await requireNone(admin, `select from public.tasks where status <> 'completed'`)
  await admin.query('delete from public.tasks')
  return cost
}

/** Returns a function that returns the cost of a turn since now. */
function startWatch(turns: number, readWaitMs: () => number = () => 0): () => Cost {
  const from = performance.now()
  const before = process.cpuUsage()
  const waitedMs = readWaitMs()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return {
      ms: (performance.now() - from) / turns,
      waitMs: (readWaitMs() - waitedMs) / turns,
      cpuMs: (user + system) / 1000 / turns,
    }
  }
}

async function untilNone(admin: pg.Client, query: string): Promise<void> {
  while ((await admin.query(query)).rowCount !== 0) await sleep(20)
}

async function requireNone(admin: pg.Client, query: string): Promise<void> {
  const { rowCount } = await admin.query(query)
  if (rowCount !== 0) throw new Error(`${rowCount} rows of: ${query}`)
}
