import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allowMedia } from '../../../scripts/testing/allow_media.ts'
import { createDatabase, type TestDatabase } from '../../../scripts/testing/database.ts'
import { announceVersions, claimSteps, completed, exchangeSteps } from '../../../scripts/testing/steps.ts'
import { untilWaiting } from '../../../scripts/testing/waiting.ts'
import type { ClaimedStep } from '../../../worker/steps/claim.ts'

// Two sessions at the same moment: people save, and workers hand in outputs.
let database: TestDatabase
let a: Client
let b: Client
let c: Client
let watcher: Client
const owner = crypto.randomUUID()
const worker = crypto.randomUUID()

beforeAll(async () => {
  database = await createDatabase()
  ;[a, b, c, watcher] = await Promise.all([
    database.connect(),
    database.connect(),
    database.connect(),
    database.connect(),
  ])
  await watcher.query('insert into auth.users (id, email) values ($1, $2)', [owner, 'ana@example.com'])
  for (const client of [a, b, c, watcher]) {
    await client.query(`select set_config('request.jwt.claims', $1, false)`, [
      JSON.stringify({ sub: owner, role: 'authenticated' }),
    ])
    await client.query("set lock_timeout = '10s'")
  }
  await announceVersions(watcher, worker)
  // One user generates more dramas here than a plan allows.
  await allowMedia(watcher)
})
afterAll(() => database.drop())

// biome-ignore lint/suspicious/noExplicitAny: any document
type Drama = any

const generate = async () =>
  (await watcher.query("select (d).* from (select generate_drama('A lighthouse') as d) as made")).rows[0]
const take = () => claimSteps(watcher, worker)
const handIn = (client: Client, results: [step: ClaimedStep, output: object, children?: object[]][]) =>
  exchangeSteps(
    client,
    worker,
    results.map((result) => completed(...result)),
  )
const save = async (client: Client, drama: Drama) =>
  (await client.query('select save_drama_complete($1) as drama', [JSON.stringify(drama)])).rows[0].drama
const open = async (id: string): Promise<Drama> =>
  (await watcher.query('select get_drama_complete($1) as drama', [id])).rows[0].drama
const outline = (title: string) => ({
  title,
  logline: '',
  genre: '',
  episodes: [{ id: crypto.randomUUID(), title: 'One' }],
})

/** Requires that a drama is the same from its package, from its rows and through get_drama_complete. */
async function requirePackageIsTrue(id: string): Promise<void> {
  const { rows } = await watcher.query(
    `select app.build_drama(d.id)::text as rows, p.package::text as package, p.updated_at = d.updated_at as is_current
     from dramas as d left join app.drama_packages as p on p.drama_id = d.id where d.id = $1`,
    [id],
  )
  if (rows[0].is_current) expect(rows[0].package).toBe(rows[0].rows)
  expect(JSON.stringify(await open(id))).toBe(JSON.stringify(JSON.parse(rows[0].rows)))
}

test('refuses a save that waited for a worker', async () => {
  const drama = await generate()
  const opened = await open(drama.id)
  const [step] = await take()
  await a.query('begin')
  await handIn(a, [[step as ClaimedStep, outline('Theirs')]])
  const saving = save(b, { ...opened, title: 'Mine' }).catch((error: { code: string }) => error)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect(await saving).toMatchObject({ code: 'PT409', detail: 'drama_changed' })
  expect(await open(drama.id)).toMatchObject({ title: 'Theirs', episodes: [{ title: 'One' }] })
  await requirePackageIsTrue(drama.id)
})

test('stores the output of a worker that waited for a save, and keeps what the person wrote', async () => {
  const drama = await generate()
  const opened = await open(drama.id)
  const [step] = await take()
  await a.query('begin')
  await save(a, { ...opened, title: 'Mine', episodes: [{ title: 'Zero' }] })
  const handing = handIn(b, [[step as ClaimedStep, outline('Theirs')]])
  await untilWaiting(watcher, b)
  await a.query('commit')
  await handing
  const result = await open(drama.id)
  expect(result).toMatchObject({ title: 'Mine', episodes: [{ title: 'Zero' }, { title: 'One' }] })
  await requirePackageIsTrue(drama.id)
})

test('loses no output of two workers that hand in results of the same dramas in opposite order', async () => {
  const portraits = async (id: string) => {
    const saved = await save(watcher, { ...(await open(id)), characters: [{ name: 'A' }, { name: 'B' }] })
    return saved.characters.map((one: { id: string }) => one.id) as string[]
  }
  const dramas = [(await generate()).id, (await generate()).id]
  await watcher.query("update app.job_queue set status = 'blocked', waits = 9 where status = 'queued'")
  const targets = [await portraits(dramas[0]), await portraits(dramas[1])]
  // One worker gets the runs in one order, the other worker in the opposite order.
  const order = [targets[0]?.[0], targets[1]?.[0], targets[1]?.[1], targets[0]?.[1]]
  for (let round = 0; round < 15; round++) {
    for (const id of order) await watcher.query("select regenerate_asset($1, 'portrait')", [id])
    const steps = (await take()).sort((one, other) => one.run_id - other.run_id)
    expect(steps).toHaveLength(4)
    const url = (n: number) => ({ url: `https://cdn.example.com/${round}/${n}.png` })
    await Promise.all([
      handIn(a, [
        [steps[0] as ClaimedStep, url(0)],
        [steps[1] as ClaimedStep, url(1)],
      ]),
      handIn(b, [
        [steps[2] as ClaimedStep, url(2)],
        [steps[3] as ClaimedStep, url(3)],
      ]),
    ])
    const shown: string[][] = []
    for (const id of dramas) shown.push((await open(id)).characters.map((one: Drama) => one.portrait_url))
    expect(shown).toEqual([
      [url(0).url, url(3).url],
      [url(1).url, url(2).url],
    ])
  }
  for (const id of dramas) await requirePackageIsTrue(id)
})

test('requests a picture while a worker hands in children that need the same new lane', async () => {
  await watcher.query('update app.job_queue set run_at = $1', ['infinity'])
  for (const isWorkerFirst of [true, false]) {
    await watcher.query("delete from app.lanes where type = 'generate_video'")
    const drama = await generate()
    const [step] = (await take()).filter(({ run_id }) => run_id === Number(drama.run_id))
    const saved = await save(watcher, {
      ...(await open(drama.id)),
      episodes: [{ title: 'One', scenes: [{ title: 'A', text: 'x' }] }],
    })
    await c.query('begin')
    await c.query('select from dramas where id = $1 for update', [drama.id])
    const request = () => a.query("select regenerate_asset($1, 'video')", [saved.episodes[0].scenes[0].id])
    const hand = () =>
      handIn(b, [[step as ClaimedStep, outline('x'), [{ key: 'video', type: 'generate_video', input: {} }]]])
    const first = isWorkerFirst ? hand() : request()
    await untilWaiting(watcher, isWorkerFirst ? b : a)
    const second = isWorkerFirst ? request() : hand()
    await untilWaiting(watcher, isWorkerFirst ? a : b)
    await c.query('commit')
    await Promise.all([first, second])
  }
})

test('deletes a drama while a worker hands in its results, in either order', async () => {
  for (const isWorkerFirst of [true, false]) {
    const drama = await generate()
    const [step] = (await take()).filter(({ run_id }) => run_id === Number(drama.run_id))
    await a.query('begin')
    const remove = (client: Client) => client.query('select delete_drama($1)', [drama.id])
    const hand = (client: Client) =>
      handIn(client, [[step as ClaimedStep, outline('x'), [{ key: 'cast', type: 'write_cast' }]]])
    await (isWorkerFirst ? hand(a) : remove(a))
    const second = isWorkerFirst ? remove(b) : hand(b)
    await untilWaiting(watcher, b)
    await a.query('commit')
    await second
    expect((await watcher.query('select from dramas where id = $1', [drama.id])).rowCount).toBe(0)
    expect((await watcher.query('select from app.job_queue where run_id = $1', [drama.run_id])).rowCount).toBe(0)
    expect((await watcher.query('select status from jobs where id = $1', [drama.run_id])).rows[0].status).toBe(
      'cancelled',
    )
  }
})

test('stores the picture of the last request, also during saves', async () => {
  const drama = await save(watcher, { characters: [{ name: 'A' }] })
  const id = drama.characters[0].id
  await a.query('begin')
  await a.query("select regenerate_asset($1, 'portrait')", [id])
  const second = b.query("select regenerate_asset($1, 'portrait') as run", [id])
  await untilWaiting(watcher, b)
  await a.query('commit')
  const run = Number((await second).rows[0].run)
  expect((await open(drama.id)).characters[0].portrait_job_id).toBe(run)
  // A person sets a URL while both pictures are made: neither replaces it.
  const chosen = 'https://example.com/chosen.png'
  const opened = await open(drama.id)
  await save(watcher, { ...opened, characters: [{ ...opened.characters[0], portrait_url: chosen }] })
  for (const step of await take()) await handIn(a, [[step, { url: 'https://cdn.example.com/late.png' }]])
  expect((await open(drama.id)).characters[0]).toMatchObject({ portrait_url: chosen, portrait_job_id: null })
  await requirePackageIsTrue(drama.id)
})

test('keeps the image and the video that a person chose while others are made', async () => {
  const drama = await save(watcher, { episodes: [{ scenes: [{ summary: 'S' }] }] })
  const [scene] = drama.episodes[0].scenes
  for (const kind of ['image', 'video']) {
    await watcher.query('select regenerate_asset($1, $2)', [scene.id, kind])
    const opened = await open(drama.id)
    const [{ scenes }] = opened.episodes
    expect(scenes[0][`${kind}_job_id`]).not.toBeNull()
    const chosen = { [`${kind}_url`]: `https://example.com/${kind}` }
    await save(watcher, { ...opened, episodes: [{ ...opened.episodes[0], scenes: [{ ...scenes[0], ...chosen }] }] })
    const steps = await take()
    expect(steps).toHaveLength(1)
    for (const step of steps) await handIn(a, [[step, { url: 'https://cdn.example.com/late' }]])
    expect((await open(drama.id)).episodes[0].scenes[0]).toMatchObject({ ...chosen, [`${kind}_job_id`]: null })
  }
})

test('deletes a drama while an image is requested, in either order: no run of a deleted drama continues', async () => {
  const drama = await save(watcher, { characters: [{ name: 'A' }] })
  const [{ id }] = drama.characters
  const request = (client: Client) => client.query("select regenerate_asset($1, 'portrait') as id", [id])
  const remove = (client: Client) => client.query('select delete_drama($1)', [drama.id])
  const runs = async () =>
    (await watcher.query("select id from jobs where input ->> 'drama_id' = $1", [drama.id])).rows.map(({ id }) => id)

  await a.query('begin')
  const requested = (await request(a)).rows[0].id
  const refused = remove(b).catch(({ detail }) => detail)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect(await refused).toBe('drama_changed')
  expect((await open(drama.id)).characters[0].portrait_job_id).toBe(Number(requested))
  await watcher.query('select cancel_job($1)', [requested])

  await a.query('begin')
  await remove(a)
  const late = request(b).catch(({ detail }) => detail)
  await untilWaiting(watcher, b)
  await a.query('commit')
  expect(await late).toBe('drama_not_found')
  expect(await runs()).toEqual([requested])
})

test('stores one of two dramas that come at the same moment when the plan has room for one', async () => {
  const bytes = async () => Number((await watcher.query('select app.count_owner_bytes($1) as n', [owner])).rows[0].n)
  const before = await bytes()
  const some = { premise: 'x'.repeat(2000) }
  await watcher.query("update plans set bytes_stored = $1 where id = 'free'", [before + 4000])
  try {
    await a.query('begin')
    await save(a, some)
    const saving = save(b, some).catch((error: { code: string }) => error)
    await untilWaiting(watcher, b)
    await a.query('commit')
    expect(await saving).toMatchObject({ code: 'PT409', detail: 'storage_used_up' })
    expect(await bytes()).toBeLessThan(before + 4000)
    expect(await bytes()).toBeGreaterThan(before + 2000)
  } finally {
    await watcher.query("update plans set bytes_stored = default where id = 'free'")
  }
})

test('returns whole dramas to readers during writes, one document per updated_at', async () => {
  let drama = await save(watcher, { characters: [{ name: '0' }], episodes: [{ title: '0' }] })
  const seen: Drama[] = []
  let isDone = false
  const reading = (async () => {
    while (!isDone) {
      const { rows } = await b.query('select get_drama_complete($1) as drama', [drama.id])
      seen.push(rows[0].drama)
    }
  })()
  for (let n = 1; n <= 100; n++) {
    if (n % 2) {
      const title = String(n)
      drama = await save(a, {
        ...drama,
        title,
        characters: [{ ...drama.characters[0], name: title }],
        episodes: [{ ...drama.episodes[0], title }],
      })
    } else {
      // Like a worker: changes rows and stores no package.
      await a.query('begin')
      await a.query('update episodes set title = $2 where drama_id = $1', [drama.id, String(n)])
      await a.query('update drama_characters set name = $2 where drama_id = $1', [drama.id, String(n)])
      await a.query('commit')
      drama = await open(drama.id)
    }
  }
  isDone = true
  await reading
  const versions = new Map<string, string>()
  for (const one of seen) {
    expect(one.characters[0].name).toBe(one.episodes[0].title)
    const text = JSON.stringify(one)
    expect(versions.get(one.updated_at) ?? text).toBe(text)
    versions.set(one.updated_at, text)
  }
  expect(versions.size).toBeGreaterThan(3)
  await requirePackageIsTrue(drama.id)
})

test('accepts one of two different requests that send the same key at the same moment, by function or by insert', async () => {
  const { characters } = await save(watcher, { characters: [{ name: 'Mira' }] })
  const generating = (premise: string) => (client: Client, key: string) =>
    client.query('select (generate_drama($1, idempotency_key => $2)).run_id', [premise, key])
  const inserting = (premise: string) => async (client: Client, key: string) => {
    await client.query('set local role authenticated')
    return client.query('insert into dramas (premise, idempotency_key) values ($1, $2) returning run_id', [
      premise,
      key,
    ])
  }
  const drawing = (prompt: string) => (client: Client, key: string) =>
    client.query("select regenerate_asset($1, 'portrait', $2, $3) as run_id", [characters[0].id, prompt, key])
  const ways = { generating, inserting, drawing }
  // The first request, the second one, and what the second one gets when the first one commits.
  const cases: [keyof typeof ways, keyof typeof ways, string, string][] = [
    ['generating', 'generating', 'A', 'same'],
    ['generating', 'generating', 'B', 'idempotency_key_taken'],
    ['generating', 'inserting', 'A', 'drama_exists'],
    ['generating', 'inserting', 'B', 'idempotency_key_taken'],
    ['inserting', 'generating', 'A', 'same'],
    ['inserting', 'generating', 'B', 'idempotency_key_taken'],
    ['inserting', 'inserting', 'A', 'drama_exists'],
    ['inserting', 'inserting', 'B', 'idempotency_key_taken'],
    ['drawing', 'drawing', 'A', 'same'],
    ['drawing', 'drawing', 'B', 'idempotency_key_taken'],
  ]
  for (const end of ['commit', 'rollback']) {
    for (const [first, second, text, expected] of cases) {
      const label = `${end}: ${first}, then ${second} ${text}`
      const key = crypto.randomUUID()
      const { rows: before } = await watcher.query('select count(*)::integer as runs from app.runs')
      await a.query('begin')
      await b.query('begin')
      const [made] = (await ways[first]('A')(a, key)).rows
      const other = ways[second](text)(b, key).then(
        ({ rows }) => rows[0].run_id,
        ({ message, detail }) => (message.startsWith('{') ? JSON.parse(message).details : detail),
      )
      await untilWaiting(watcher, b)
      await a.query(end)
      const got = await other
      await b.query('commit')
      if (end === 'rollback') expect(got, label).toMatch(/^\d+$/)
      else expect(got, label).toBe(expected === 'same' ? made.run_id : expected)
      const { rows: after } = await watcher.query('select count(*)::integer as runs from app.runs')
      expect(after[0].runs - before[0].runs, label).toBe(1)
    }
  }
})

test('keeps what a person writes, sets or requests while the drama is generated', async () => {
  const drama = await generate()
  const mine = async (): Promise<ClaimedStep> => {
    const steps = (await take()).filter(({ run_id }) => run_id === Number(drama.run_id))
    expect(steps).toHaveLength(1)
    return steps[0] as ClaimedStep
  }
  const [episode_id, scene_id, other_id] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]
  const episodes = [{ id: episode_id, title: 'One' }]
  await handIn(a, [
    [await mine(), { title: 'T', episodes }, [{ key: 'script', type: 'write_script', input: { episode_id } }]],
  ])
  const script = await mine()
  let opened = await open(drama.id)
  await save(watcher, { ...opened, episodes: [{ ...opened.episodes[0], script: 'Mine' }] })
  await handIn(a, [
    [
      script,
      { script: 'Theirs', scenes: [{ id: scene_id }, { id: other_id, summary: 'S' }] },
      [
        { key: 'scene', type: 'write_scene', input: { scene_id } },
        { key: 'other', type: 'write_scene', input: { scene_id: other_id }, depends_on: ['scene'] },
      ],
    ],
  ])
  const scene = await mine()
  opened = await open(drama.id)
  expect(opened.episodes[0].script).toBe('Mine')
  const written = { text: 'Mine', image_prompt: 'Mine', image_url: 'https://example.com/mine.png' }
  const [first, second] = opened.episodes[0].scenes
  await save(watcher, { ...opened, episodes: [{ ...opened.episodes[0], scenes: [{ ...first, ...written }, second] }] })
  const assets = (target_id: string) => [
    { key: 'image', type: 'generate_image', input: { target_id } },
    { key: 'video', type: 'generate_video', input: { target_id } },
  ]
  const theirs = { text: 'Theirs', image_prompt: 'Theirs', video_prompt: 'Theirs' }
  await handIn(a, [[scene, theirs, assets(scene_id)]])
  const url = 'https://cdn.example.com/theirs.png'
  const others: ClaimedStep[] = []
  for (const step of (await take()).filter(({ run_id }) => run_id === Number(drama.run_id))) {
    if (step.key === 'other') others.push(step)
    else await handIn(a, [[step, { url }]])
  }
  for (const step of await take()) {
    if (step.key === 'other') others.push(step)
  }
  opened = await open(drama.id)
  expect(opened.episodes[0].scenes[0]).toMatchObject({
    ...written,
    image_job_id: null,
    video_prompt: 'Theirs',
    video_url: url,
  })

  // Requested before the scene was written: this picture counts, whichever is made last.
  await watcher.query("select regenerate_asset($1, 'image', 'Mine')", [other_id])
  const asked = (await take())[0] as ClaimedStep
  await handIn(a, [[others[0] as ClaimedStep, theirs, assets(other_id)]])
  await handIn(a, [[asked, { url: 'https://cdn.example.com/asked.png' }]])
  for (const step of await take()) await handIn(a, [[step, { url }]])
  expect((await open(drama.id)).episodes[0].scenes[1]).toMatchObject({
    text: 'Theirs',
    image_url: 'https://cdn.example.com/asked.png',
    video_url: url,
  })
})

test('deletes a user during saves, requests and results without a deadlock, and leaves nothing', async () => {
  const newUser = async () => {
    const id = crypto.randomUUID()
    await watcher.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.com`])
    for (const client of [a, watcher]) await be(client, id)
    return id
  }
  const be = (client: Client, sub: string) =>
    client.query(`select set_config('request.jwt.claims', $1, false)`, [JSON.stringify({ sub, role: 'authenticated' })])
  const remove = (id: string) => b.query('delete from auth.users where id = $1', [id])
  const requireGone = async (id: string) => {
    for (const table of ['dramas', 'drama_characters', 'episodes', 'scenes', 'app.runs', 'jobs']) {
      expect((await watcher.query(`select from ${table} where owner_id = $1`, [id])).rowCount, table).toBe(0)
    }
    // No drama is created for a deleted user.
    await expect(save(watcher, { title: 'late' })).rejects.toMatchObject({
      detail: expect.stringMatching(/found|signed/),
    })
  }
  const meanwhile: [string, (drama: Drama) => Promise<() => Promise<unknown>>][] = [
    [
      'a worker that hands in twice',
      async (drama) => {
        const { rows } = await watcher.query(`select app.submit_run($1, $2, null) as id`, [
          { key: 'r', type: 'group', steps: ['x', 'y'].map((key) => ({ key, type: 'write_outline' })) },
          drama.owner_id,
        ])
        await watcher.query('insert into app.drama_runs (run_id, drama_id) values ($1, $2)', [rows[0].id, drama.id])
        const steps = (await take()).filter(({ run_id }) => run_id === Number(rows[0].id))
        expect(steps).toHaveLength(2)
        await a.query('begin')
        await handIn(a, [[steps[0] as ClaimedStep, outline('x')]])
        return () => handIn(a, [[steps[1] as ClaimedStep, outline('y')]])
      },
    ],
    [
      'a save in two parts',
      async (drama) => {
        const opened = await open(drama.id)
        await a.query('begin')
        const saved = await save(a, { ...opened, title: 'x' })
        return () => save(a, { ...saved, title: 'y', episodes: [{ title: 'z' }] })
      },
    ],
    [
      'a request for a portrait after a save',
      async (drama) => {
        const opened = await open(drama.id)
        await a.query('begin')
        await a.query('select from dramas where id = $1 for no key update', [drama.id])
        await save(a, opened)
        return () => a.query("select regenerate_asset($1, 'portrait')", [drama.characters[0].id])
      },
    ],
  ]
  for (const [, begin] of meanwhile) {
    const id = await newUser()
    const drama = { ...(await save(watcher, { characters: [{ name: 'A' }] })), owner_id: id }
    const goOn = await begin(drama)
    const removing = remove(id)
    await untilWaiting(watcher, b)
    await goOn()
    await a.query('commit')
    await removing
    await requireGone(id)
  }

  // Without control of the order, many times.
  const c = await database.connect()
  for (let round = 0; round < 30; round++) {
    const id = await newUser()
    await be(c, id)
    const saved = await save(watcher, {
      characters: [{ name: 'A' }],
      episodes: Array(20).fill({ scenes: Array(10).fill({}) }),
    })
    const runs = [await generate(), await generate(), await generate()].map(({ run_id }) => Number(run_id))
    const steps = (await take()).filter(({ run_id }) => runs.includes(run_id))
    expect(steps).toHaveLength(3)
    const children = [{ key: 'cast', type: 'write_cast' }]
    const ends = await Promise.allSettled([
      handIn(
        a,
        steps.map((step) => [step, outline('x'), children]),
      ),
      save(c, { ...saved, episodes: saved.episodes.map((one: Drama) => ({ ...one, title: 'x' })) }),
      new Promise((resolve) => setTimeout(resolve, round)).then(() => remove(id)),
    ])
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []))
    for (const code of codes) expect(code).toMatch(/^PT/)
    expect(ends[2]?.status).toBe('fulfilled')
    await requireGone(id)
  }
  for (const client of [a, watcher]) await be(client, owner)
})
