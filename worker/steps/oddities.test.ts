import { afterAll, expect, test } from 'vitest'
import { createDatabase } from '../../scripts/testing/database.ts'
import { testTypes } from '../../scripts/testing/handlers.ts'
import { oddities } from '../../scripts/testing/oddities.ts'
import { until } from '../../scripts/testing/waiting.ts'
import { createTestWorkers } from '../../scripts/testing/workers.ts'

const workers = createTestWorkers()
afterAll(async () => {
  await workers.stop()
  workers.remove()
})

test('odd errors and results fail their steps with the right slug, and the log has one bounded line for each', async () => {
  const database = await createDatabase()
  try {
    const client = await database.connect()
    await client.query(testTypes)
    const worker = await workers.start('odd', database.url('worker'))
    const steps = oddities.map((input, index) => ({ key: `odd-${index}`, type: 'odd', input, on_failure: 'continue' }))
    const spec = { key: 'root', type: 'group', steps: [...steps, { key: 'noop', type: 'noop' }] }
    const { rows } = await client.query('select app.submit_run($1, null, null) as id', [JSON.stringify(spec)])
    const ended = 'select finished_at from app.runs where id = $1'
    await until('the run ends', async () => (await client.query(ended, [rows[0].id])).rows[0].finished_at !== null)

    const { rows: jobs } = await client.query(
      'select id, key, status, input, error_slug as slug, error_message as message from jobs where root_id = $1',
      [rows[0].id],
    )
    const reasonOf = (oddity: string) => {
      const { slug, message } = jobs.find(({ input }) => Object.values(input ?? {}).includes(oddity))
      return `${slug}: ${message}`
    }
    expect(reasonOf('circle')).toBe('named: The text is empty. Send a text.')
    expect(reasonOf('20,000 causes')).toBe('named: The text is empty. Send a text.')
    expect(reasonOf('50 MB')).toMatch(/^named: Too long: x{1980,}$/)
    expect(reasonOf('address in a sentence')).toBe('named: … and … fail.')
    expect(reasonOf('map')).toMatch(/^output_invalid: .* output\.seen is a Map\./)
    expect(reasonOf('nan')).toMatch(/^output_invalid: .* output\.rows\[1\] is NaN\./)
    expect(reasonOf('set in a state')).toMatch(/^output_invalid: .* state\.seen is a Set\./)
    expect(reasonOf('promise in the input of a child')).toMatch(/children\[0\]\.input\.later is a Promise\. Await it\./)
    for (const oddity of ['null', 'symbol', 'bigint', 'text', 'proxy', 'getters', 'aggregate']) {
      expect(reasonOf(oddity), oddity).toMatch(/^handler_failed: The handler of this step failed unexpectedly\./)
    }
    for (const { key, status, message } of jobs.filter(({ key }) => key.startsWith('odd-'))) {
      expect(status, key).toBe('failed')
      expect(message, key).not.toMatch(/ECONN|127\.0|private|\/srv|\n|node:/)
    }
    expect(jobs.find(({ key }) => key === 'noop').status).toBe('completed')

    const lines = worker.readLog().trim().split('\n')
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(40_000)
    const failures = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'Step failed')
    expect(failures.map(({ step }) => step).sort()).toEqual(
      jobs.flatMap(({ id, key }) => (key.startsWith('odd-') ? [Number(id)] : [])).sort(),
    )
    const refused = jobs.find(({ input }) => input?.fetches !== undefined)
    expect(failures.find(({ step }) => step === Number(refused.id)).err).toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNREFUSED' },
    })
    const [deep] = failures.filter(({ err }) => err.left_out > 0)
    expect(deep.err).toMatchObject({ slug: 'named', left_out: 19_995 })
  } finally {
    await workers.stop()
    await database.drop()
  }
})
