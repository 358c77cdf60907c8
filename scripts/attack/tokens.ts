import { signJwt } from '../local/jwt.ts'
import { judge, shareFlow, type Target, type Verdict } from './target.ts'

/** Uses tokens with a good signature that never expire, are for another service, or are of a deleted user. */
export async function attackWithTokens(target: Target): Promise<Verdict> {
  const { env, db } = target
  const now = Math.floor(Date.now() / 1000)
  const user = await target.signUp()
  const deleted = await target.signUp()
  await db.query('delete from auth.users where id = $1', [deleted.id])
  const claims = { sub: user.id, role: 'authenticated', iat: now }
  const sign = (more: object) => signJwt({ ...claims, ...more }, env['JWT_SECRET'] ?? '')
  const tokens = {
    withoutExp: await sign({ aud: 'authenticated' }),
    otherAud: await sign({ aud: 'another-service', exp: now + 3600 }),
    withoutAud: await sign({ exp: now + 3600 }),
    deleted: deleted.token,
  }
  const accepted = await Promise.all(
    Object.values(tokens).map(async (token) => {
      return Number((await shareFlow(target, { token })).status < 300)
    }),
  )
  // Otherwise nothing is proved.
  const good = await shareFlow(target, { token: user.token })
  if (good.status !== 200) throw new Error(`A good token is refused: ${good.status} ${good.text}`)
  return judge({
    name: 'tokens without exp, with another aud, without aud, of a deleted user: accepted',
    figure: accepted.reduce((sum, one) => sum + one, 0),
    unit: 'tokens',
    bound: 0,
    before: { figure: 4, on: '2026-11-27' },
  })
}
