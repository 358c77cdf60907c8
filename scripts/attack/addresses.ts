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
    // Sixteen times the limit of one /64, and what comes back during the attack.
    bound: 85,
    before: { figure: 200, on: '2026-11-27' },
  })
}

/** Spends the rate of one address. Other addresses must not notice. */
export async function attackOtherAddresses(target: Target): Promise<Verdict> {
  const figure = await target.withSettings({ share_writes_per_minute: perMinute }, async () => {
    for (let share = 0; share < 3 * perMinute; share++) await isShared(target, '203.0.113.50')
    const others = await Promise.all(
      Array.from({ length: 10 }, (_, host) => isShared(target, `203.0.113.${60 + host}`)),
    )
    return others.filter((one) => !one).length
  })
  return judge({
    name: 'one address spends its rate: refused writes of ten other addresses',
    figure,
    unit: 'writes',
    bound: 0,
    before: { figure: 0, on: '2026-11-27' },
  })
}

async function isShared(target: Target, address: string): Promise<boolean> {
  return isAccepted(await shareFlow(target, { address }), 'rate_limited')
}
