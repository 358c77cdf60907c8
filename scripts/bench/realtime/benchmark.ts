import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startOwnStack } from '../../local/own_stack.ts'
import { atMost, type Figure, machine, median, type Report, say } from '../report.ts'
import { type Subscriber, subscribe } from './subscribers.ts'

type Sizes = { subscribers: number; rate: number; rounds: number; seconds: number }

/** The tables of the benchmark: rows that only their owner may select, and rows that everybody may. */
const tables = { own: 'bench_own', shared: 'bench_shared' }

const schema = `
  create table public.${tables.own} (n bigint primary key, owner_id uuid not null, note text not null);
  alter table public.${tables.own} enable row level security;
  create policy select_own on public.${tables.own} for select to authenticated using (owner_id = (select auth.uid()));
  create table public.${tables.shared} (n bigint primary key, owner_id uuid not null, note text not null);
  alter table public.${tables.shared} enable row level security;
  create policy select_all on public.${tables.shared} for select to authenticated using (true);
  grant select on public.${tables.own}, public.${tables.shared} to authenticated;
  alter publication supabase_realtime add table public.${tables.own}, public.${tables.shared}`

/** The changes of a round as their subscribers saw them. */
type Round = { p50: number; p99: number; lost: number; strangers: number }

/** Measures a whole `npm start`: the time from an insert to its arrival at clients of supabase-js, through the gateway. */
export async function benchmarkRealtime({ subscribers: count, rate, rounds, seconds }: Sizes): Promise<Report> {
  const environment = machine()
  const stack = await startOwnStack('bench-realtime')
  const pool = new pg.Pool({ connectionString: stack.env['DATABASE_URL'], max: 8 })
  let next = 1
  try {
    await pool.query(schema)

    /** Inserts rows at a rate, and waits until each has arrived at everybody who may see it. */
    async function measure(
      table: string,
      open: (onRow: (n: number, ownerId: string) => void) => Promise<Subscriber[]>,
      perSecond: number,
      receiversOfRow: number,
    ): Promise<Round> {
      const sentAt = new Map<number, number>()
      const owners = new Map<number, string>()
      const times: number[] = []
      let strangers = 0
      const listeners = await open((n, ownerId) => {
        const start = sentAt.get(n)
        if (start === undefined) return
        times.push(performance.now() - start)
        if (table === tables.own && owners.get(n) !== ownerId) strangers++
      })
      const total = perSecond * seconds
      const begin = performance.now()
      const inserts: Promise<unknown>[] = []
      // The first second is not counted.
      for (let at = -perSecond; at < total; at++) {
        const wait = begin + (at / perSecond + 1) * 1000 - performance.now()
        if (wait > 1) await sleep(wait)
        const n = next++
        const ownerId = listeners[(at + perSecond) % listeners.length]?.ownerId ?? ''
        if (at >= 0) sentAt.set(n, performance.now())
        owners.set(n, ownerId)
        inserts.push(
          pool.query(`insert into public.${table} values ($1, $2, 'a note of a usual length')`, [n, ownerId]),
        )
      }
      await Promise.all(inserts)
      const expected = total * receiversOfRow
      for (const end = performance.now() + 20_000; times.length < expected && performance.now() < end; ) await sleep(20)
      await Promise.all(listeners.map((listener) => listener.close()))
      times.sort((a, b) => a - b)
      const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.POSITIVE_INFINITY
      return { p50: at(0.5), p99: at(0.99), lost: expected - times.length, strangers }
    }

    const filtered = (subscribers: number) =>
      measure(
        tables.own,
        (onRow) => subscribe(subscribers, { env: stack.env, table: tables.own, isFiltered: true, onRow }),
        rate,
        1,
      )
    await filtered(1)
    const ones: Round[] = []
    const many: Round[] = []
    for (let round = 1; round <= rounds; round++) {
      ones.push(await filtered(1))
      many.push(await filtered(count))
      say(`round ${round}: p99 of one ${ones.at(-1)?.p99.toFixed(0)} ms, of ${count} ${many.at(-1)?.p99.toFixed(0)} ms`)
    }

    /** The highest rate at which every change arrives everywhere, 99 of 100 within a second. */
    async function findRate(table: string, receiversOfRow: number): Promise<{ rate: number; p99: number }> {
      let best = { rate: 0, p99: 0 }
      for (const perSecond of [10, 25, 50, 100, 150, 200, 300, 400, 600, 800, 1000]) {
        const open = (onRow: (n: number, ownerId: string) => void) =>
          subscribe(count, { env: stack.env, table, isFiltered: false, onRow })
        const round = await measure(table, open, perSecond, receiversOfRow)
        say(`${count} unfiltered, ${table}, ${perSecond} a second: p99 ${round.p99.toFixed(0)} ms, lost ${round.lost}`)
        if (round.lost > 0 || round.strangers > 0 || round.p99 > 1000) break
        best = { rate: perSecond, p99: round.p99 }
      }
      return best
    }
    const own = await findRate(tables.own, 1)
    const shared = await findRate(tables.shared, count)

    const lost = [...ones, ...many].reduce((sum, round) => sum + round.lost + round.strangers, 0)
    const [p99One, p99Many] = [median(ones.map(({ p99 }) => p99)), median(many.map(({ p99 }) => p99))]
    const figures: Figure[] = [
      { name: 'one subscriber: p50', value: median(ones.map(({ p50 }) => p50)), unit: 'ms' },
      { name: 'one subscriber: p99', value: p99One, unit: 'ms' },
      { name: `${count} subscribers: p50`, value: median(many.map(({ p50 }) => p50)), unit: 'ms' },
      { name: `${count} subscribers: p99`, value: p99Many, unit: 'ms' },
      { name: `${count} unfiltered, each row visible to one: rate that holds`, value: own.rate, unit: 'changes/s' },
      { name: `${count} unfiltered, each row visible to one: p99 at it`, value: own.p99, unit: 'ms' },
      { name: `${count} unfiltered, each row visible to all: rate that holds`, value: shared.rate, unit: 'changes/s' },
      { name: `${count} unfiltered, each row visible to all: p99 at it`, value: shared.p99, unit: 'ms' },
    ]
    return {
      title: 'bench:realtime',
      bars: [
        atMost(`p99 of ${count} filtered subscribers against that of one`, p99Many / p99One, 3),
        atMost('changes lost, or sent to a stranger', lost, 0, 'changes'),
      ],
      figures,
      environment: { ...environment, load_after: loadavg()[0] ?? 0, rate, rounds, seconds, durable: true },
    }
  } finally {
    await pool.end()
    await stack.stop()
  }
}
