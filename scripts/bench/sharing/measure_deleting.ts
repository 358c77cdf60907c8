import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { LoadRequest } from '../load.ts'
import { atMost, median, type Section, say } from '../report.ts'
import type { SharingStage } from './stage.ts'

/** Measures the schedule that deletes expired shares after a busy hour, and its effect on visitors. */
export async function measureDeleting(stage: SharingStage, many: number): Promise<Section> {
  const { plinth, anonKey, shareIds, admin, worker, generator } = stage
  const few = Math.ceil(many / 10)
  const probe = {
    url: plinth.api,
    perSecond: 200,
    requests: shareIds.map(
      (id): LoadRequest => ({
        method: 'GET',
        path: `/rpc/get_shared_resource?share_id=${id}`,
        headers: { apikey: anonKey, authorization: `Bearer ${anonKey}` },
      }),
    ),
  }
  const insert = async (shares: number) => {
    say(`Deleting: preparing ${shares} expired shares …`)
    await admin.query('set session_replication_role = replica')
    await admin.query('call app.bench_insert_expired($1)', [shares])
    await admin.query(
      'vacuum analyze public.shared_resources, public.flows, public.agents, public.data_store_nodes, public.if_nodes',
    )
    await admin.query('checkpoint')
  }
  /** Runs the schedule batch by batch, like the worker. Returns the milliseconds of each batch but the last, empty one. */
  const remove = async (shares: number): Promise<number[]> => {
    const times: number[] = []
    let deleted = 0
    for (;;) {
      const from = performance.now()
      const { rows } = await worker.query<{ handled: number }>(
        "select worker.run_schedule('delete-expired-shares') as handled",
      )
      if (!rows[0]?.handled) break
      deleted += rows[0].handled
      times.push(performance.now() - from)
    }
    if (deleted !== shares) throw new Error(`${deleted} shares were deleted instead of ${shares}`)
    return times
  }
  await insert(few)
  // With readers, because they take their part of the machine below, too.
  const { value: short } = await generator.probe(probe, () => remove(few))
  await insert(many)
  say('Deleting: readers alone, then readers and the schedule …')
  await sleep(1000)
  const before = await generator.probe(probe, () => sleep(4000))
  const during = await generator.probe(probe, async () => {
    const watcher = new AbortController()
    const removing = remove(many).finally(() => watcher.abort())
    const [times, waiting] = await Promise.all([removing, watchLocks(admin, watcher.signal)])
    return { times, waiting }
  })
  const { times, waiting } = during.value
  const tenth = Math.ceil(times.length / 10)
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
  const name = `deleting ${many.toLocaleString('en')} expired shares`
  // If the time were quadratic, these two ratios would be 10 and more.
  return {
    bars: [
      atMost(`${name}: longest statement`, Math.max(...times), 1000, 'ms'),
      atMost(
        `${name}: time per share, last tenth of the batches against the first`,
        median(times.slice(-tenth)) / median(times.slice(0, tenth)),
        1.5,
      ),
      atMost(
        `${name}: time per share, against deleting ${few.toLocaleString('en')}`,
        median(times) / median(short),
        1.5,
      ),
      atMost(`${name}: readers seen waiting for a lock`, waiting, 0, ''),
      atMost(`${name}: p99 of readers during the deletes, against before`, during.result.p99 / before.result.p99, 5),
    ],
    figures: [
      { name: `${name}: total`, value: sum(times) / 1000, unit: 's' },
      { name: `${name}: batches`, value: times.length, unit: '' },
      { name: `${name}: time per batch`, value: median(times), unit: 'ms' },
      { name: `deleting ${few.toLocaleString('en')} expired shares: total`, value: sum(short) / 1000, unit: 's' },
      { name: 'readers before (200 a second): p50', value: before.result.p50, unit: 'ms' },
      { name: 'readers before: p99', value: before.result.p99, unit: 'ms' },
      { name: 'readers during the deletes: p50', value: during.result.p50, unit: 'ms' },
      { name: 'readers during the deletes: p99', value: during.result.p99, unit: 'ms' },
      { name: 'readers during the deletes: slowest', value: during.result.max, unit: 'ms' },
    ],
  }
}

/** Counts every 20 ms the requests that wait for a lock, and returns the sum. */
async function watchLocks(admin: pg.Client, signal: AbortSignal): Promise<number> {
  let waiting = 0
  while (!signal.aborted) {
    const { rows } = await admin.query<{ waiting: number }>(
      "select count(*)::integer as waiting from pg_stat_activity where usename = 'authenticator' and wait_event_type = 'Lock'",
    )
    waiting += rows[0]?.waiting ?? 0
    await sleep(20)
  }
  return waiting
}
