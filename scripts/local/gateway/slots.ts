/** Lets a limited number of holders of each key in at a time. */
export type Slots = {
  /** Resolves with the function that gives the slot back, as soon as the key has a free slot. */
  take(key: string): Promise<() => void>
}

/** Makes slots, `size` for each key. Callers that wait get a slot in the order in which they asked. */
export function createSlots(size: number): Slots {
  const keys = new Map<string, { taken: number; waiting: (() => void)[] }>()
  return {
    async take(key) {
      const slots = keys.get(key) ?? { taken: 0, waiting: [] }
      keys.set(key, slots)
      if (slots.taken < size) slots.taken += 1
      else await new Promise<void>((resolve) => slots.waiting.push(resolve))
      return () => {
        const next = slots.waiting.shift()
        if (next) return next()
        slots.taken -= 1
        if (slots.taken === 0) keys.delete(key)
      }
    },
  }
}
