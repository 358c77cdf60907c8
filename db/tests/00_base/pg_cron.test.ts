import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { databaseUrl, prepareDatabase } from '../../../scripts/testing/cluster.ts'

// pg_cron is not to be had for the embedded Postgres: .ci/run sets PLINTH_TEST_PG_CRON for Debian's Postgres 15.
describe.runIf(process.env['PLINTH_TEST_PG_CRON'] === 'on')('where pg_cron is installed', () => {
  const cluster = inject('cluster')
  let client: pg.Client

  beforeAll(async () => {
    await prepareDatabase(cluster, 'plinth_cron')
    client = new pg.Client(databaseUrl(cluster, 'plinth_cron'))
    await client.connect()
  })
  afterAll(() => client.end())

  const jobs = async () => (await client.query('select jobname, schedule, command from cron.job order by jobname')).rows

  test('db:migrate registers every schedule', async () => {
    const { rows } = await client.query('select name, cron from app.schedules order by name')
    expect(rows.length).toBeGreaterThan(0)
    expect(await jobs()).toEqual(
      rows.map(({ name, cron }) => ({
        jobname: name,
        schedule: cron,
        command: `call app.run_schedule_to_end('${name}')`,
      })),
    )
  })

  test('a change of app.schedules is a change of pg_cron', async () => {
    await client.query(`insert into app.schedules values ('added', '1 2 3 4 5', 'app.added')`)
    expect(await jobs()).toContainEqual({
      jobname: 'added',
      schedule: '1 2 3 4 5',
      command: "call app.run_schedule_to_end('added')",
    })
    await client.query(`update app.schedules set cron = '5 4 3 2 1' where name = 'added'`)
    expect(await jobs()).toContainEqual(expect.objectContaining({ jobname: 'added', schedule: '5 4 3 2 1' }))
    await client.query(`delete from app.schedules where name = 'added'`)
    expect(await jobs()).not.toContainEqual(expect.objectContaining({ jobname: 'added' }))
  })

  test("somebody else's jobs stay", async () => {
    await client.query(`select cron.schedule('theirs', '0 0 1 1 *', 'select 1')`)
    await client.query('select app.register_schedules()')
    expect(await jobs()).toContainEqual({ jobname: 'theirs', schedule: '0 0 1 1 *', command: 'select 1' })
  })

  test('the worker is told to run none', async () => {
    expect((await client.query('select * from worker.list_schedules()')).rows).toEqual([])
  })

  test('pg_cron runs a schedule to its end, batch by batch', { timeout: 300_000 }, async () => {
    await client.query(`
      insert into flows (id, name, nodes, edges, created_at)
      select gen_random_uuid(), 'old', '[]', '[]', now() - interval '2 hours' from generate_series(1, 2500)
    `)
    await client.query(`update app.schedules set cron = '* * * * *' where name = 'delete-unshared-resources'`)
    const left = async () => (await client.query('select count(*)::int as flows from flows')).rows[0].flows
    // pg_cron begins at the next minute, and notes the end of the run after its last commit.
    await expect.poll(left, { timeout: 200_000, interval: 1000 }).toBe(0)
    const statuses = async () => {
      const { rows } = await client.query<{ status: string }>(`
        select distinct d.status from cron.job_run_details as d join cron.job as j using (jobid)
        where j.jobname = 'delete-unshared-resources'`)
      return rows.map(({ status }) => status)
    }
    await expect.poll(statuses).toContain('succeeded')
    expect(await statuses()).not.toContain('failed')
  })
})
