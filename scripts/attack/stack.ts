import { startOwnStack } from '../local/own_stack.ts'
import { openTarget, type Target } from './target.ts'

/** A stack of its own, in a process of its own, so that attacks do not slow down its gateway. */
export async function startTarget(): Promise<{ target: Target; stop(): Promise<void> }> {
  const stack = await startOwnStack('attack')
  try {
    const target = await openTarget(stack.env, stack.home)
    const stop = async () => {
      await target.close()
      await stack.stop()
    }
    return { target, stop }
  } catch (error) {
    await stack.stop()
    throw error
  }
}
