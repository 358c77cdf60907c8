import type { Studio } from './app/studio.ts'
import type { Chromium } from './chromium.ts'
import type { Shown, Tab } from './story.ts'

type Answer = { value: unknown; refused?: undefined } | { refused: { message: string } }

/** Opens the app in a tab of Chromium. The functions of its studio run in the page. */
export async function openTab(chromium: Chromium, url: string): Promise<Tab> {
  const page = await chromium.open(url)
  const call = async (name: string, args: unknown[]): Promise<unknown> => {
    const sent = JSON.stringify(await Promise.all(args.map(encode)))
    const answer = await page.evaluate<Answer>(`callStudio(${JSON.stringify(name)}, ${sent})`)
    if (answer.refused) throw Object.assign(new Error(answer.refused.message), answer.refused)
    return answer.value
  }
  return {
    studio: new Proxy({} as Studio, {
      get:
        (_studio, name: string) =>
        (...args: unknown[]) =>
          call(name, args),
    }),
    reload: page.reload,
    show: (src) => page.evaluate<Shown | null>(`showPicture(${JSON.stringify(src)})`),
    follow: async (link) => {
      const other = await chromium.open(link)
      const text = await other.evaluate<string>('document.body.innerText')
      await other.close()
      return text
    },
  }
}

async function encode(argument: unknown): Promise<unknown> {
  if (!(argument instanceof File)) return argument
  const base64 = Buffer.from(await argument.arrayBuffer()).toString('base64')
  return { name: argument.name, type: argument.type, base64 }
}
