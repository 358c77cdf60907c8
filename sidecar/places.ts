/** Places that are taken under a name, up to a limit. */
export type Places = {
  /** Takes a place and returns the function that gives it back, or returns undefined if the name has no place left. */
  take(name: string, limit: number): (() => void) | undefined
}

export function createPlaces(): Places {
  const taken = new Map<string, number>()
  return {
    take(name, limit) {
      const count = taken.get(name) ?? 0
      if (count >= limit) return undefined
      taken.set(name, count + 1)
      return () => {
        const left = (taken.get(name) ?? 0) - 1
        if (left > 0) taken.set(name, left)
        else taken.delete(name)
      }
    },
  }
}
