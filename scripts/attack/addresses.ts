import { isAccepted, judge, shareFlow, type Target, type Verdict } from './target.ts'

const perMinute = 5

/** Shares from as many /64 networks of one /48 as there are limits. The /48 has a limit of its own. */
export async function attackFromOneNetwork(target: Target): Promise<Verdict> {
  const networks = 100
  const figure = await target.withSettings({ share_writes_per_minute: perMinute }, async () => {
    let accepted = 0
    for (let network = 1; network <= networks; network++) {
      const address = `2001:db8:1:${network.toString(16)}::1`
      for (let share = 0; share < 2; share++) accepted += Number(await isShared(target, address))
    }
    return accepted
  })
  return judge({
    name: `writes from ${networks} /64 of one /48, at ${perMinute} a minute for each: accepted of ${2 * networks}`,
    figure,
    unit: 'writes',
    // Sixteen times the limit of one /64, and what comes back during the attack on a slow machine.
    bound: 110,
    before: { figure: 200, on: '2026-11-27' },
  })
}

/** Spends the rate of one address. Other addresses must not notice. */
export async function attackOtherAddresses(target: Target): Promise<Verdict> {
  const figure = await target.withSettings({ share_writes_per_minute: perMinute }, () => spendAndCount(target, 50))
  return judge({
    name: 'one address spends its rate: refused writes of ten other addresses',
    figure,
    unit: 'writes',
    bound: 0,
    before: { figure: 0, on: '2026-11-27' },
  })
}

/**
 * Does the same where no header names the client's address. All addresses then share one bucket, and no limit helps, so
 * the operator must see a warning.
 */
export async function attackOneBucket(target: Target): Promise<Verdict> {
  const settings = { share_writes_per_minute: perMinute, client_address_header: null }
  const figure = await target.withSettings(settings, async () => {
    const refused = await spendAndCount(target, 51)
    return (await listWarnings(target)).includes('client_address_unknown') ? 0 : refused
  })
  return judge({
    name: 'the same without client_address_header: refused writes that no warning to the operator explains',
    figure,
    unit: 'writes',
    bound: 0,
    before: { figure: 10, on: '2026-11-27' },
  })
}

/** Shares from one address more often than the rate allows, then once from ten others. Returns how many are refused. */
async function spendAndCount(target: Target, host: number): Promise<number> {
  for (let share = 0; share < 3 * perMinute; share++) await isShared(target, `203.0.113.${host}`)
  let refused = 0
  for (let other = 60; other < 70; other++) refused += Number(!(await isShared(target, `203.0.113.${other}`)))
  return refused
}

async function listWarnings({ db }: Target): Promise<string[]> {
  const { rows: views } = await db.query("select to_regclass('ops.warnings') as view")
  if (views[0].view === null) return []
  return (await db.query('select name from ops.warnings')).rows.map(({ name }) => name)
}

async function isShared(target: Target, address: string): Promise<boolean> {
  return isAccepted(await shareFlow(target, { address }), 'rate_limited')
}
