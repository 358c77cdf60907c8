/** Makes a drama of 8 characters, 6 episodes and 60 scenes, with texts as long as those of models. */
export function sampleDrama(number: number) {
  const characters = Array.from({ length: 8 }, (_, n) => ({
    id: crypto.randomUUID(),
    name: `Character ${n}`,
    role: n === 0 ? 'protagonist' : 'support',
    description: prose(300, number + n),
    appearance: prose(200, number + n + 1),
    portrait_url: `https://plinth-assets.fra1.cdn.digitaloceanspaces.com/drama-assets/${crypto.randomUUID()}.png`,
  }))
  return {
    id: crypto.randomUUID(),
    title: `Drama ${number}`,
    premise: prose(200, number),
    logline: prose(120, number),
    genre: 'mystery',
    language: 'English',
    style: 'muted watercolour',
    model: 'gemini-3-pro-preview',
    characters,
    episodes: Array.from({ length: 6 }, (_, e) => ({
      id: crypto.randomUUID(),
      title: `Episode ${e}`,
      summary: prose(300, number + e),
      script: prose(600, number + e),
      scenes: Array.from({ length: 10 }, (_, s) => ({
        id: crypto.randomUUID(),
        title: `Scene ${s}`,
        summary: prose(150, number + s),
        text: prose(700, number + s),
        image_prompt: prose(250, number + s),
        video_prompt: prose(150, number + s),
        character_ids: [characters[s % 8]?.id, characters[(s + 3) % 8]?.id],
        image_url: `https://plinth-assets.fra1.cdn.digitaloceanspaces.com/drama-assets/${crypto.randomUUID()}.png`,
      })),
    })),
  }
}

const words =
  'the lamp turns over black water and a keeper reads what nobody sent while rain writes on the glass'.split(' ')

function prose(length: number, start: number): string {
  let text = ''
  for (let n = start; text.length < length; n++) text += `${words[(n * 7 + text.length) % words.length]} `
  return text.slice(0, length)
}
