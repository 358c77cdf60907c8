import { isAccepted, judge, shareFlow, type Target, type Verdict } from './target.ts'

/** Shares large public flows from one address, and lists public flows as somebody else. */
export async function attackWithPublicFlows(target: Target): Promise<Verdict> {
  const address = '203.0.113.80'
  const text = 'x'.repeat(4_900_000)
  for (let share = 0; share < 2; share++) {
    isAccepted(
      await shareFlow(target, { address }, flowOf(text), 'public'),
      'package_too_large',
      'public_share_too_large',
      'rate_limited',
      'request_too_large',
    )
  }
  const list = await target.ask('/flows', { address: '203.0.113.81' })
  if (list.status !== 200) throw new Error(`The list: ${list.status} ${list.text.slice(0, 300)}`)
  return judge({
    name: 'two public flows of 4.9 MB: the list of flows that others read',
    figure: list.text.length / 1e6,
    unit: 'MB',
    bound: 5.3,
    before: { figure: 9.8, on: '2026-11-27' },
  })
}

/** Shares small public flows from one address until it is refused. */
export async function attackWithPublicShares(target: Target): Promise<Verdict> {
  const address = '203.0.113.82'
  let figure = 0
  for (let share = 0; share < 100; share++) {
    const answer = await shareFlow(target, { address }, flowOf('spam'), 'public')
    figure += Number(isAccepted(answer, 'too_many_public_shares'))
  }
  return judge({
    name: 'a hundred public shares of one address: how many are listed',
    figure,
    unit: 'shares',
    bound: 20,
    before: { figure: 100, on: '2026-11-27' },
  })
}

export function flowOf(text: string): object {
  return { name: 'f', description: '', nodes: [{ id: 'start', text }], edges: [] }
}
